import { readText, refuse, whole } from "./read-text.ts";

/** Octets of a secret of DNS cookies (RFC 9018 section 3: SipHash-2-4). */
export const COOKIE_SECRET = 16;
/** Of the secret by which siblings know each other. */
export const SIBLING_SECRET = 32;

const HEX = /^[0-9a-f]+$/i;

/** Reads a secret of so many octets, in hexadecimal digits on one line. Throws ConfigError. */
export function readSecret(file: string, octets: number): Uint8Array {
  const text = readText(file).trim();
  const make = `make one with \`openssl rand -hex ${octets}\``;
  if (!HEX.test(text) || text.length !== 2 * octets) {
    refuse(file, [whole(`does not hold a secret of ${2 * octets} hexadecimal digits; ${make}`)]);
  }
  return Buffer.from(text, "hex");
}
