/**
 * FNV-1a that begins with a seed, its upper bits mixed into the lower ones at every octet. Without that what an octet adds would depend on
 * the low octet of the state alone: of the seed only that would say which names or networks have one hash, and
 * a stranger need prepare no more than 256 sets of them.
 */
export function hashOctet(hash: number, octet: number): number {
  const next = Math.imul(hash ^ octet, 0x01_00_01_93);
  return next ^ (next >>> 15);
}

/** Every bit of the result depends on every bit of the last state; a signed 32-bit integer. */
export function hashDone(hash: number): number {
  const spread = Math.imul(hash ^ (hash >>> 16), 0x85_eb_ca_6b);
  return spread ^ (spread >>> 13);
}
