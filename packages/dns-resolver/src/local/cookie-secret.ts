import { readText, refuse, whole } from "./read-text.ts";

const SECRET = /^[0-9a-f]{32}$/i;

/** Reads a secret of DNS cookies, 32 hexadecimal digits on one line. Throws ConfigError. */
export function readCookieSecret(file: string): Uint8Array {
  const text = readText(file).trim();
  const make = "make one with `openssl rand -hex 16`";
  if (!SECRET.test(text)) refuse(file, [whole(`does not hold a secret of 32 hexadecimal digits; ${make}`)]);
  return Buffer.from(text, "hex");
}
