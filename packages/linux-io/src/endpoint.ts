/**
 * An address and port as a fixed-size record, so that a batch of them is one typed array and costs no allocation.
 *
 *   0       family: 4, 6, or 0 for "not known"
 *   1       reserved, 0
 *   2..3    port, big endian
 *   4..19   address bytes; IPv4 uses 4..7, the rest is 0
 *   20..23  IPv6 scope id, big endian
 */
export const ENDPOINT_BYTES = 24;

/** The readable form, for configuration, logs and tests; never on the path of a datagram. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** Writes `endpoint` as a record. Returns false, writing nothing, when the address is not an IP literal. */
export function writeEndpoint(endpoint: Endpoint, into: Uint8Array, offset: number): boolean {
  const [literal = "", scope = ""] = endpoint.address.split("%");
  const bytes = literal.includes(":") ? parseIPv6(literal) : parseIPv4(literal);
  if (bytes === undefined) return false;
  into.fill(0, offset, offset + ENDPOINT_BYTES);
  into[offset] = bytes.length === 4 ? 4 : 6;
  into[offset + 2] = endpoint.port >>> 8;
  into[offset + 3] = endpoint.port & 0xff;
  into.set(bytes, offset + 4);
  const scopeId = /^\d+$/.test(scope) ? Number(scope) : 0;
  for (let i = 0; i < 4; i += 1) into[offset + 20 + i] = (scopeId >>> (24 - 8 * i)) & 0xff;
  return true;
}

/** Reads a record; undefined for the empty one. */
export function readEndpoint(from: Uint8Array, offset: number): Endpoint | undefined {
  const family = from[offset];
  if (family !== 4 && family !== 6) return undefined;
  const address = family === 4 ? ipv4Text(from, offset + 4) : ipv6Text(from, offset + 4) + scopeText(from, offset + 20);
  return { address, port: endpointPort(from, offset) };
}

export function endpointPort(from: Uint8Array, offset: number): number {
  return ((from[offset + 2] ?? 0) << 8) | (from[offset + 3] ?? 0);
}

/** Every address of the machine: 0.0.0.0, or :: however it is written. */
export function isWildcard(address: string): boolean {
  return address === "0.0.0.0" || /^[0:]+$/.test(address);
}

/** `192.0.2.1:53`, `[2001:db8::1]:53`. */
export function formatEndpoint(endpoint: Endpoint): string {
  return endpoint.address.includes(":")
    ? `[${endpoint.address}]:${endpoint.port}`
    : `${endpoint.address}:${endpoint.port}`;
}

/** Four bytes of a dotted quad in canonical form; undefined for anything else. */
export function parseIPv4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (const [i, part] of parts.entries()) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    bytes[i] = Number(part);
  }
  return bytes;
}

/** Sixteen bytes of an IPv6 literal (RFC 4291 section 2.2, dotted tail included); undefined for anything else. */
export function parseIPv6(text: string): Uint8Array | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = groups(halves[0] ?? "", halves.length === 1);
  const tail = halves.length === 2 ? groups(halves[1] ?? "", true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = [...head, ...Array.from({ length: missing }, () => 0), ...tail];
  return Uint8Array.from(all.flatMap((group) => [group >>> 8, group & 0xff]));
}

function groups(text: string, dottedTailAllowed: boolean): number[] | undefined {
  if (text === "") return [];
  const out: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) out.push(Number.parseInt(part, 16));
    else {
      const quad = dottedTailAllowed && i === parts.length - 1 ? parseIPv4(part) : undefined;
      if (quad === undefined) return undefined;
      const [a = 0, b = 0, c = 0, d = 0] = quad;
      out.push((a << 8) | b, (c << 8) | d);
    }
  }
  return out;
}

export function ipv4Text(from: Uint8Array, at: number): string {
  return `${from[at]}.${from[at + 1]}.${from[at + 2]}.${from[at + 3]}`;
}

/** Canonical text of RFC 5952: lower case, the longest run of zero groups compressed. */
export function ipv6Text(from: Uint8Array, at: number): string {
  const all: number[] = [];
  for (let i = 0; i < 16; i += 2) all.push(((from[at + i] ?? 0) << 8) | (from[at + i + 1] ?? 0));
  const run = longestZeroRun(all);
  if (run === undefined) return hex(all);
  return `${hex(all.slice(0, run.start))}::${hex(all.slice(run.start + run.length))}`;
}

function hex(part: readonly number[]): string {
  return part.map((group) => group.toString(16)).join(":");
}

function longestZeroRun(all: readonly number[]): { start: number; length: number } | undefined {
  let best: { start: number; length: number } | undefined;
  for (let start = 0; start < all.length; start += 1) {
    let length = 0;
    while (all[start + length] === 0) length += 1;
    if (length >= 2 && length > (best?.length ?? 0)) best = { start, length };
  }
  return best;
}

function scopeText(from: Uint8Array, at: number): string {
  const scope =
    (((from[at] ?? 0) << 24) | ((from[at + 1] ?? 0) << 16) | ((from[at + 2] ?? 0) << 8) | (from[at + 3] ?? 0)) >>> 0;
  return scope === 0 ? "" : `%${scope}`;
}
