import type { Exchange } from "./exchange.ts";

/** What makes a question be put again over TCP, where nobody can answer in the upstream's place. */
export const OVER_TCP: ReadonlySet<Exchange["kind"]> = new Set([
  "truncated",
  "malformed",
  "case-changed",
  "near-misses",
]);

/** What a client is told of an exchange that came to no answer, behind the upstream's address. */
export const WHY = {
  truncated: "truncated its answer over TCP",
  malformed: "sent an answer that cannot be read",
  "case-changed": "changed the case of the name",
  "near-misses": "sent what was no answer",
  timeout: "did not answer in time",
  unreachable: "cannot be reached",
  "no-socket": "could not be asked: this machine has no socket left",
} as const;

/** A client's question, the same asked of the same upstream again, or a probe. */
export type Kind = "question" | "again" | "probe";
