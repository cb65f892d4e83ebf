import { randomBytes } from "node:crypto";

/** A seed that strangers cannot guess. */
export function randomSeed(): number {
  return randomBytes(4).readUInt32BE();
}
