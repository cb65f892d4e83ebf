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
