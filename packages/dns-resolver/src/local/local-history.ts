import type { Steps } from "../sliced.ts";
import type { LocalData } from "./load-local.ts";
import type { Elsewhere } from "./local-answer.ts";

/** What a reload makes of local data: the same; other answers; or names of its own too that were another's before. */
export type LocalChange = "none" | "answers" | "names";

/** Remembers what local data was, so that a reload can tell what is different: answers of routes may hold what it says. */
export class LocalHistory {
  #texts: readonly string[] = [];
  #apexes: ReadonlySet<string> = new Set();
  #claims: Pick<Elsewhere, "zoneOf"> | undefined;

  /** What `local`, which was read from `texts`, makes of it. */
  *change(texts: readonly string[], local: LocalData): Steps<LocalChange> {
    if (texts.length === this.#texts.length && texts.every((text, i) => text === this.#texts[i])) return "none";
    return (yield* this.#hasNewNames(local)) ? "names" : "answers";
  }

  /** It is in place, and `claims` has it. */
  took(texts: readonly string[], { zones }: LocalData, claims: Pick<Elsewhere, "zoneOf">): void {
    this.#texts = texts;
    this.#apexes = new Set(zones.map(({ apex }) => keyOf(apex)));
    this.#claims = claims;
  }

  /** A zone has all names below it; one of a hosts file is new where a route, or nobody, answered for it. */
  *#hasNewNames({ zones, hosts }: LocalData): Steps<boolean> {
    if (zones.some(({ apex }) => !this.#apexes.has(keyOf(apex)))) return true;
    for (const { apex } of hosts) {
      if (this.#claims?.zoneOf(apex) === undefined) return true;
      yield;
    }
    return false;
  }
}

function keyOf(name: Uint8Array): string {
  return Buffer.from(name).toString("latin1");
}
