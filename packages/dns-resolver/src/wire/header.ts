/**
 * The header (RFC 1035 section 4.1.1), RFC 6840's AD and CD included.
 *
 *   0  id                          4  QDCOUNT   6  ANCOUNT   8  NSCOUNT   10  ARCOUNT
 *   2  QR(1) opcode(4) AA TC RD
 *   3  RA Z AD CD rcode(4)
 */
export const HEADER_BYTES = 12;
export const AT = { id: 0, flags: 2, lowFlags: 3, questions: 4, answers: 6, authorities: 8, additionals: 10 } as const;

/** Bits of byte 2. */
export const QR = 0x80;
export const AA = 0x04;
export const TC = 0x02;
export const RD = 0x01;
/** Bits of byte 3. */
export const RA = 0x80;
export const Z = 0x40;
export const AD = 0x20;
export const CD = 0x10;

export function opcodeOf(flags: number): number {
  return (flags >>> 3) & 0x0f;
}
