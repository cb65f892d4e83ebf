import type { Clock, Duration } from "@stitch/clock";
import type { HostPort } from "@stitch/config";
import { zeros } from "../wire/blocks.ts";
import type { Decoded } from "../wire/decoded.ts";
import { OPT_BYTES, writeOpt } from "../wire/edns.ts";
import { AT, CD, HEADER_BYTES, opcodeOf, QR, RD, TC, Z } from "../wire/header.ts";
import { decodeMessage, type Message } from "../wire/message.ts";
import { lowerByte, sameName } from "../wire/name.ts";
import { put16, sameBytes, u16, u8 } from "../wire/octets.ts";
import { RCODE } from "../wire/registry.ts";

/** One question to one upstream. */
export interface Request {
  readonly upstream: HostPort;
  /** Address to ask from: the site's own, never the VIP, to which the answer might find another site. */
  readonly source: string | undefined;
  readonly id: number;
  /** Name in lower case, type, class. */
  readonly question: Uint8Array;
  /** Ask with the letters of the name in mixed case; over UDP, take no answer that does not repeat it. */
  readonly mixedCase: boolean;
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
  /** With an OPT record; without it DO says nothing. */
  readonly edns: boolean;
  readonly limit: Duration;
  /** How long an answer is still taken after `limit`. */
  readonly late: Duration;
  /** Called when `limit` has passed and the wait goes on. */
  readonly onOverdue: () => void;
  readonly clock: Clock;
  /** Called for every datagram that was not the answer: a guess, an echo, an answer to something else. */
  readonly onIgnored: () => void;
}

/** A question on its way. */
export interface Asking<T = Exchange> {
  readonly result: Promise<T>;
  /** Gives it up: it comes to a timeout. */
  readonly end: () => void;
}

/** What came of it. Only `timeout`, `unreachable` and `untrusted` speak against the upstream. */
export type Exchange =
  | { readonly kind: "answer"; readonly message: Message }
  | { readonly kind: "truncated" }
  /** An answer to the question, but in another case than it was asked: the upstream rewrites names, or it is forged. */
  | { readonly kind: "case-changed" }
  /** Several datagrams from the upstream's address that were not the answer: somebody is guessing. */
  | { readonly kind: "near-misses" }
  | { readonly kind: "timeout" }
  | { readonly kind: "unreachable"; readonly code: string }
  /** Over TLS: the other side could not prove that it is the upstream. */
  | { readonly kind: "untrusted"; readonly code: string }
  | { readonly kind: "malformed" }
  /** It does not know EDNS, or not ours: FORMERR or NOTIMP without an OPT record, or BADVERS. */
  | { readonly kind: "no-edns" }
  | { readonly kind: "no-socket"; readonly code: string };

/**
 * Want of something in our own machine: it says nothing about the upstream. A source address that is not here or a packet
 * filter that forbids the way is no such want: it stays until somebody acts, so health must say it.
 */
const OURS = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EADDRINUSE", "EAGAIN"]);

/** What the system's refusal means: `code` is its name, such as ENETUNREACH. */
export function failed(code: string): Exchange {
  return { kind: OURS.has(code) ? "no-socket" : "unreachable", code };
}

/** Our own query, never the client's bytes: its options stay here (CVE-2026-42004 class). */
export function encodeRequest({ id, dnssecOk, checkingDisabled, edns }: Request, question: Uint8Array): Uint8Array {
  const bytes = zeros(HEADER_BYTES + question.length + (edns ? OPT_BYTES : 0));
  put16(bytes, AT.id, id);
  bytes[AT.flags] = RD;
  bytes[AT.lowFlags] = checkingDisabled ? CD : 0;
  put16(bytes, AT.questions, 1);
  bytes.set(question, HEADER_BYTES);
  if (!edns) return bytes;
  put16(bytes, AT.additionals, 1);
  writeOpt(bytes, HEADER_BYTES + question.length, 0, dnssecOk);
  return bytes;
}

/**
 * Whether `bytes` can be the answer to the question with this id, as it was written: id, header and the question byte for
 * byte. What is not is ignored and the wait goes on: giving up would let a stranger end it with one forged datagram
 * (CVE-2023-28452 class).
 */
export function matchAnswer(id: number, question: Uint8Array, bytes: Uint8Array): "answer" | "case-changed" | "other" {
  if (u16(bytes, AT.id) === id && isBareRefusal(bytes)) return "answer";
  if (bytes.length < HEADER_BYTES + question.length || u16(bytes, AT.id) !== id) return "other";
  const flags = u8(bytes, AT.flags);
  if ((flags & QR) === 0 || opcodeOf(flags) !== 0 || (u8(bytes, AT.lowFlags) & Z) !== 0) return "other";
  if (u16(bytes, AT.questions) !== 1) return "other";
  if (sameBytes(bytes, HEADER_BYTES, question, 0, question.length)) return "answer";
  for (let i = 0; i < question.length; i += 1) {
    if (lowerByte(u8(bytes, HEADER_BYTES + i)) !== lowerByte(u8(question, i))) return "other";
  }
  return "case-changed";
}

/**
 * Nothing but a header that says FORMERR or NOTIMP: what servers send that could not read the OPT record (RFC 8906 section
 * 8.2.8). All that a forger would gain by it is that the question is put again.
 */
function isBareRefusal(bytes: Uint8Array): boolean {
  if (bytes.length !== HEADER_BYTES || !REFUSES_EDNS.has(u8(bytes, AT.lowFlags) & 0x0f)) return false;
  const flags = u8(bytes, AT.flags);
  return (flags & QR) !== 0 && opcodeOf(flags) === 0 && bytes.subarray(AT.questions).every((byte) => byte === 0);
}

/** Rcodes of servers that do not know EDNS (RFC 6891 section 7). */
export const REFUSES_EDNS: ReadonlySet<number> = new Set([RCODE.FORMERR, RCODE.NOTIMP]);

/**
 * Reads a matched answer to a question that was asked with or without EDNS. One that is cut or does not parse is worth
 * asking for again over TCP, and one that cannot be had with EDNS without it.
 */
export function readAnswer(bytes: Uint8Array, { edns }: Pick<Request, "edns">): Exchange {
  if ((u8(bytes, AT.flags) & TC) !== 0) return { kind: "truncated" };
  const message = decodeMessage(bytes);
  if (edns && refusesEdns(u8(bytes, AT.lowFlags) & 0x0f, message)) return { kind: "no-edns" };
  return message.ok ? { kind: "answer", message: message.value } : { kind: "malformed" };
}

function refusesEdns(low: number, message: Decoded<Message>): boolean {
  if (message.ok && message.value.rcode === RCODE.BADVERS) return true;
  return REFUSES_EDNS.has(low) && !(message.ok && message.value.edns);
}

/**
 * The name as it is kept, in the question and where a server repeats it instead of pointing there: nobody is shown the
 * case that was drawn.
 */
export function inOwnCase(result: Exchange, question: Uint8Array): Exchange {
  if (result.kind !== "answer") return result;
  const { bytes, records } = result.message;
  const name = question.subarray(0, question.length - 4);
  bytes.set(question, HEADER_BYTES);
  for (const { ownerAt } of records) {
    if (u8(bytes, ownerAt) < 0xc0 && sameName(bytes.subarray(ownerAt, ownerAt + name.length), name))
      bytes.set(name, ownerAt);
  }
  return result;
}
