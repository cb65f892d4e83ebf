import { createHash } from "node:crypto";
import { basename } from "node:path";
import type { DnsSettings } from "../config.ts";
import { readingFile, refuse, whole } from "../local/read-text.ts";
import { extendedError } from "../extended-error.ts";
import type { Steps } from "../sliced.ts";
import { EDE } from "../wire/registry.ts";
import { readDomainList, readHostsList, type Unread } from "./list-file.ts";
import { PolicyBuilder, PolicyRoomError } from "./policy-builder.ts";
import { readRpz } from "./rpz-file.ts";
import type { PolicyMemory } from "./policy-table.ts";

/** Largest file of a list: a million names are some 25 MiB. */
const LARGEST_LIST = 64 * 2 ** 20;
/** Of the lines of a list so many may be beyond us, one in: lists are written by strangers, and no two alike. */
const UNREAD_SHARE = 100;
/** Octets of a list's name in an extended error. */
const LONGEST_SHOWN = 48;

export type PolicySettings = DnsSettings["policies"][number];

/** One list as it was read. */
export interface Policy {
  readonly file: string;
  /** Of its octets, so that a reload can tell whether it is another. */
  readonly digest: string;
  readonly names: number;
  /** Lines that say nothing that is understood here. */
  readonly unread: Unread;
  /** The extended error of what it answers (RFC 8914): why, and by which list. */
  readonly extended: Uint8Array;
}

export interface Policies {
  /** In the order of the configuration: the first that has a name decides. */
  readonly lists: readonly Policy[];
  /** Undefined when there is no list. */
  readonly memory: PolicyMemory | undefined;
}

/** Reads all lists. Ends with ConfigError: file, line, and what is wrong. `seed` is random per process. */
export function* readPolicies(
  settings: readonly PolicySettings[],
  pathOf: (file: string) => string,
  seed: number,
): Steps<Policies> {
  if (settings.length === 0) return { lists: [], memory: undefined };
  const builder = new PolicyBuilder();
  const lists: Policy[] = [];
  for (const [i, each] of settings.entries()) lists.push(yield* readPolicy(each, pathOf(each.file), i, builder));
  return { lists, memory: yield* builder.finishing(seed) };
}

function* readPolicy(
  { kind, because }: PolicySettings,
  path: string,
  policy: number,
  builder: PolicyBuilder,
): Steps<Policy> {
  const hash = createHash("sha256");
  const { file, text } = yield* readingFile(path, LARGEST_LIST, (octets) => hash.update(octets));
  const before = builder.names;
  const unread = yield* readInto(kind, file, text, policy, builder);
  const names = builder.names - before;
  if (unread.lines * UNREAD_SHARE > names + unread.lines) {
    refuse(file, [
      { path: "", line: unread.first, message: `${unread.lines} lines such as this are not of a ${kind} list` },
    ]);
  }
  const name = Buffer.from(`policy ${basename(file)}`)
    .subarray(0, LONGEST_SHOWN)
    .toString("latin1");
  const extended = extendedError(because === "filtered" ? EDE.FILTERED : EDE.BLOCKED, name);
  return { file, digest: hash.digest("hex"), names, unread, extended };
}

const NONE: Unread = { lines: 0, first: 0 };

function* readInto(
  kind: PolicySettings["kind"],
  file: string,
  text: string,
  policy: number,
  builder: PolicyBuilder,
): Steps<Unread> {
  try {
    if (kind === "hosts") return yield* readHostsList(text, policy, builder);
    if (kind === "domains") return yield* readDomainList(text, policy, builder);
    refuse(file, yield* readRpz(text, policy, builder));
    return NONE;
  } catch (failure) {
    if (!(failure instanceof PolicyRoomError)) throw failure;
    refuse(file, [whole("has more names than fit beside the other lists: 128 MiB in all")]);
    return NONE;
  }
}
