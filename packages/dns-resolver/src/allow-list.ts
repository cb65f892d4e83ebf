import type { Prefix } from "@stitch/config";
import { parseIPv4, parseIPv6 } from "@stitch/linux-io";

/** This machine's own programs and the self-check come from here, whatever the configuration says. */
export const ALWAYS_ALLOWED: readonly Prefix[] = [
  { family: "ipv4", address: "127.0.0.0", length: 8 },
  { family: "ipv6", address: "::1", length: 128 },
];

interface Block {
  readonly family: number;
  readonly bytes: Uint8Array;
  readonly bits: number;
}

/** Who may ask. Compares the address bytes of an endpoint record; no allocation, no text. */
export class AllowList {
  readonly #blocks: readonly Block[];

  constructor(prefixes: readonly Prefix[], always: readonly Prefix[] = ALWAYS_ALLOWED) {
    this.#blocks = [...always, ...prefixes].map(blockOf);
  }

  /** A list of these and nobody else. */
  static of(prefixes: readonly Prefix[]): AllowList {
    return new AllowList(prefixes, []);
  }

  /** `peers[at]` begins an endpoint record: family, reserved, port, address. */
  allows(peers: Uint8Array, at: number): boolean {
    const family = peers[at];
    for (const block of this.#blocks) {
      if (block.family === family && matches(block, peers, at + 4)) return true;
    }
    return false;
  }
}

function blockOf({ family, address, length }: Prefix): Block {
  const bytes = family === "ipv4" ? parseIPv4(address) : parseIPv6(address);
  return { family: family === "ipv4" ? 4 : 6, bytes: bytes ?? new Uint8Array(16), bits: length };
}

function matches({ bytes, bits }: Block, peers: Uint8Array, at: number): boolean {
  const whole = bits >>> 3;
  for (let i = 0; i < whole; i += 1) if (peers[at + i] !== bytes[i]) return false;
  const rest = bits & 7;
  if (rest === 0) return true;
  const mask = 0xff << (8 - rest);
  return (((peers[at + whole] ?? 0) ^ (bytes[whole] ?? 0)) & mask & 0xff) === 0;
}
