import { isIP } from "node:net";
import { linesOf, LONGEST_LINE } from "../local/lines.ts";
import type { Steps } from "../sliced.ts";
import type { PolicyBuilder } from "./policy-builder.ts";
import { POLICY_ACTION, SCOPE } from "./policy-table.ts";

/** Lines of a list that could not be read, and the first of them. */
export interface Unread {
  readonly lines: number;
  readonly first: number;
}

/**
 * A hosts file as a blocklist: an address, whatever it is, and names behind it, each of which means itself alone. Names
 * of one label are what every such list begins with (localhost, broadcasthost) and never meant.
 */
export function* readHostsList(text: string, policy: number, into: PolicyBuilder): Steps<Unread> {
  return yield* readLines(text, (line) => {
    const [address = "", ...names] = line.split(/\s+/);
    if (isIP(address.split("%")[0] ?? "") === 0 || names.length === 0) return false;
    const blocked = names.filter((name) => name.includes(".") && isIP(name) === 0);
    return blocked.every((name) => into.addText(policy, name, POLICY_ACTION.nxdomain, SCOPE.self));
  });
}

/**
 * A domain a line: `ads.example` means itself and everything below it, as does `||ads.example^`; `*.ads.example` means
 * what is below it.
 */
export function* readDomainList(text: string, policy: number, into: PolicyBuilder): Steps<Unread> {
  return yield* readLines(text, (line) => {
    const below = line.startsWith("*.");
    const name = below ? line.slice(2) : line.startsWith("||") && line.endsWith("^") ? line.slice(2, -1) : line;
    if (name === "." || name.includes(" ")) return false;
    return into.addText(policy, name, POLICY_ACTION.nxdomain, below ? SCOPE.below : SCOPE.self | SCOPE.below);
  });
}

/** `read` gets each line without blanks around it and comments; false: it cannot be read. */
function* readLines(text: string, read: (line: string) => boolean): Steps<Unread> {
  let lines = 0;
  let first = 0;
  for (const [number, whole] of linesOf(text)) {
    yield;
    const hash = whole.indexOf("#");
    const line = (hash < 0 ? whole : whole.slice(0, hash)).trim();
    if (line === "" || line.startsWith("!") || (line.length <= LONGEST_LINE && read(line))) continue;
    lines += 1;
    if (first === 0) first = number;
  }
  return { lines, first };
}
