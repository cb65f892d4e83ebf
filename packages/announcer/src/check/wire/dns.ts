/*
 * A query and what must be known of its answer (RFC 1035 section 4.1).
 *
 *   0      2      4        6        8        10       12
 *   | ID   | flags| QDCOUNT| ANCOUNT| NSCOUNT| ARCOUNT| question...
 */

const HEADER = 12;
const LONGEST_LABEL = 63;
const LONGEST_NAME = 255;
const CLASS_IN = 1;
const RECURSION_DESIRED = 0x01_00;
const RESPONSE = 0x80_00;
const TRUNCATED = 0x02_00;

/** The types that a health check asks for. */
export const QUERY_TYPES = { A: 1, NS: 2, SOA: 6, MX: 15, TXT: 16, AAAA: 28, SRV: 33 } as const;
export type QueryType = keyof typeof QUERY_TYPES;

const RCODES = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"] as const;

/** The wire form of a name; undefined when it is none. `.` is the root. */
export function encodeName(name: string): Uint8Array | undefined {
  const labels = name === "." ? [] : name.replace(/\.$/, "").split(".");
  if (labels.some((label) => !/^[\x21-\x7e]+$/.test(label) || label.length > LONGEST_LABEL)) return undefined;
  const bytes = Buffer.concat([
    ...labels.map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label, "latin1")])),
    Buffer.of(0),
  ]);
  return bytes.length > LONGEST_NAME ? undefined : bytes;
}

export function encodeQuery(id: number, name: Uint8Array, type: QueryType): Uint8Array {
  const query = Buffer.alloc(HEADER + name.length + 4);
  query.writeUInt16BE(id, 0);
  query.writeUInt16BE(RECURSION_DESIRED, 2);
  query.writeUInt16BE(1, 4);
  query.set(name, HEADER);
  query.writeUInt16BE(QUERY_TYPES[type], HEADER + name.length);
  query.writeUInt16BE(CLASS_IN, HEADER + name.length + 2);
  return query;
}

export interface DnsAnswer {
  readonly rcode: number;
  readonly rcodeName: string;
  readonly answers: number;
  readonly truncated: boolean;
}

/** The answer to `query`; undefined when the datagram is not one: another ID, another question, no response. */
export function decodeAnswer(answer: Uint8Array, query: Uint8Array): DnsAnswer | undefined {
  if (answer.length < HEADER || answer[0] !== query[0] || answer[1] !== query[1]) return undefined;
  const view = Buffer.from(answer.buffer, answer.byteOffset, answer.byteLength);
  const flags = view.readUInt16BE(2);
  if ((flags & RESPONSE) === 0) return undefined;
  const rcode = flags & 0x0f;
  // A server that could not read the question may leave it out (FORMERR); one that answers repeats it.
  const asked = view.readUInt16BE(4);
  if (asked !== 0 && !sameQuestion(answer, query)) return undefined;
  if (asked === 0 && rcode === 0) return undefined;
  return {
    rcode,
    rcodeName: RCODES[rcode] ?? `RCODE ${rcode}`,
    answers: view.readUInt16BE(6),
    truncated: (flags & TRUNCATED) !== 0,
  };
}

/** Names compare without case (RFC 1035 section 2.3.3); a length octet is below the letters. */
function sameQuestion(answer: Uint8Array, query: Uint8Array): boolean {
  if (answer.length < query.length) return false;
  for (let i = HEADER; i < query.length; i += 1) if (lower(answer[i]) !== lower(query[i])) return false;
  return true;
}

function lower(octet: number | undefined): number {
  const value = octet ?? 0;
  return value >= 0x41 && value <= 0x5a ? value + 0x20 : value;
}
