import { HOSTILE_ZONE } from "./names.ts";
import { TYPE, wireName } from "./wire.ts";

export interface Resource {
  /** "@": a pointer to the question. */
  readonly owner: string;
  readonly type: number;
  readonly class?: number;
  readonly ttl: number;
  readonly data: Buffer;
}

export interface Written {
  readonly id: number;
  /** Of the header, without the rcode. */
  readonly flags: number;
  readonly rcode?: number;
  /** Name, type and class as they came; empty: no question at all. */
  readonly question: Buffer;
  readonly answers?: readonly Resource[];
  readonly authorities?: readonly Resource[];
  readonly additionals?: readonly Resource[];
}

function record({ owner, type, class: recordClass = 1, ttl, data }: Resource): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(recordClass, 2);
  fixed.writeUInt32BE(ttl, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([owner === "@" ? Buffer.of(0xc0, 12) : wireName(owner), fixed, data]);
}

export function write({
  id,
  flags,
  rcode = 0,
  question,
  answers = [],
  authorities = [],
  additionals = [],
}: Written): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(id & 0xffff, 0);
  header.writeUInt16BE(flags | rcode, 2);
  header.writeUInt16BE(question.length > 0 ? 1 : 0, 4);
  header.writeUInt16BE(answers.length, 6);
  header.writeUInt16BE(authorities.length, 8);
  header.writeUInt16BE(additionals.length, 10);
  return Buffer.concat([header, question, ...[...answers, ...authorities, ...additionals].map(record)]);
}

export const a = (owner: string, last: number, ttl = 300): Resource => ({
  owner,
  type: TYPE.A,
  ttl,
  data: Buffer.of(198, 51, 100, last & 255),
});

/** What is true of no name: who gives it to a client has believed somebody. */
export const FORGED_DATA = "cb007142";
export const forgery = (owner: string): Resource => ({ ...a(owner, 0), data: Buffer.from(FORGED_DATA, "hex") });

export const cname = (owner: string, target: string, ttl = 300): Resource => ({
  owner,
  type: TYPE.CNAME,
  ttl,
  data: wireName(target),
});

export const ns = (owner: string, target: string): Resource => ({
  owner,
  type: TYPE.NS,
  ttl: 3_600,
  data: wireName(target),
});

export function soa(ttl = 600, minimum = 200): Resource {
  const numbers = Buffer.alloc(20);
  for (const [i, value] of [7, 3_600, 600, 86_400, minimum].entries()) numbers.writeUInt32BE(value, 4 * i);
  const names = [wireName(`ns.${HOSTILE_ZONE}`), wireName(`root.${HOSTILE_ZONE}`)];
  return { owner: HOSTILE_ZONE, type: TYPE.SOA, ttl, data: Buffer.concat([...names, numbers]) };
}

export function opt(extended = 0, options: Buffer = Buffer.alloc(0)): Resource {
  return { owner: "", type: TYPE.OPT, class: 1_232, ttl: (extended << 24) >>> 0, data: options };
}
