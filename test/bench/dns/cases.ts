import { MIXTURE, MOST_NAMES, writeFlood, writeHits, writeMisses, writeMixture } from "./names.ts";

/** Kinds of questions; the key is what `--only` and the ratios call them. */
export interface Case {
  readonly key: "hit1" | "hit" | "hit1M" | "miss" | "nxdomain" | "mix";
  readonly title: string;
  readonly rcode: "NOERROR" | "NXDOMAIN";
  /** So many names, all of them in the cache; 0: nobody has asked before. */
  readonly names: number;
  /** Of the last of so many questions no time is taken; 0: of all. */
  readonly untimed: number;
  /** Questions under way: enough that no server ever waits for the client. */
  readonly window: number;
  /** A file of questions; of names that nobody has asked before, `count` of them, which `run` makes so. */
  readonly write: (folder: string, run: string, count: number) => string;
}

const hits = (key: Case["key"], title: string, names: number): Case => ({
  key,
  title,
  rcode: "NOERROR",
  names,
  untimed: 0,
  window: 128,
  write: (folder) => writeHits(folder, names),
});

export const CASES: readonly Case[] = [
  hits("hit1", "1 name, cached", 1),
  hits("hit", "10,000 names, cached", 10_000),
  hits("hit1M", "1,000,000 names, cached", MOST_NAMES),
  { key: "miss", title: "forwarded", rcode: "NOERROR", names: 0, untimed: 0, window: 64, write: writeMisses },
  { key: "nxdomain", title: "NXDOMAIN flood", rcode: "NXDOMAIN", names: 0, untimed: 0, window: 64, write: writeFlood },
  {
    key: "mix",
    title: `1 in ${MIXTURE} forwarded`,
    rcode: "NOERROR",
    names: 0,
    untimed: MIXTURE,
    window: 64,
    write: writeMixture,
  },
];
