/**
 * DNS messages as this comparison writes and reads them. A reader of its own, strict and slow, so that what the resolver's own
 * reader overlooks is not overlooked here.
 */
export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  DNAME: 39,
  OPT: 41,
  HTTPS: 65,
  ANY: 255,
} as const;

export interface Question {
  /** Labels, escaped where they hold a dot or what cannot be seen. */
  readonly name: string;
  readonly type: number;
}

export interface ReadRecord {
  /** Lower case. */
  readonly owner: string;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  /** Names written out in lower case, the rest in hexadecimal. */
  readonly data: string;
}

export interface Reply {
  readonly id: number;
  readonly rcode: number;
  readonly aa: boolean;
  readonly tc: boolean;
  readonly rd: boolean;
  readonly ra: boolean;
  readonly ad: boolean;
  readonly cd: boolean;
  /** As it came, in its case. */
  readonly question: string;
  readonly answers: readonly ReadRecord[];
  readonly authorities: readonly ReadRecord[];
  readonly additionals: readonly ReadRecord[];
  readonly edns: boolean;
  readonly size: number;
}

/** `a\.b.example` to wire; the root is "". */
export function wireName(text: string): Buffer {
  const labels: number[][] = [];
  for (const label of text === "" ? [] : text.split(/(?<!\\)\./)) {
    const bytes: number[] = [];
    for (const [, digits, escaped, plain] of label.matchAll(/\\(\d{3})|\\(.)|([\s\S])/g)) {
      bytes.push(digits === undefined ? (escaped ?? plain ?? "").charCodeAt(0) : Number(digits));
    }
    labels.push(bytes);
  }
  return Buffer.from([...labels.flatMap((label) => [label.length, ...label]), 0]);
}

export interface QueryOptions {
  readonly id: number;
  /** Second and third octet of the header. */
  readonly flags: number;
  /** Size offered; without it the query has no OPT record. */
  readonly edns?: number | undefined;
  readonly dnssecOk?: boolean | undefined;
}

export function encodeQuery({ name, type }: Question, { id, flags, edns, dnssecOk }: QueryOptions): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(flags, 2);
  header.writeUInt16BE(1, 4);
  const tail = Buffer.from([type >> 8, type & 255, 0, 1]);
  if (edns === undefined) return Buffer.concat([header, wireName(name), tail]);
  header.writeUInt16BE(1, 10);
  const opt = Buffer.from([0, 0, TYPE.OPT, edns >> 8, edns & 255, 0, 0, dnssecOk === true ? 0x80 : 0, 0, 0, 0]);
  return Buffer.concat([header, wireName(name), tail, opt]);
}

function readName(bytes: Buffer, start: number): { name: string; end: number } {
  const labels: string[] = [];
  let end = -1;
  let length = 1;
  for (let at = start, jumps = 0; ;) {
    const head = bytes.readUInt8(at);
    if (head === 0) return { name: labels.join("."), end: end < 0 ? at + 1 : end };
    if (head >= 0xc0) {
      if (end < 0) end = at + 2;
      const target = bytes.readUInt16BE(at) & 0x3fff;
      jumps += 1;
      if (target >= at || jumps > 127) throw new Error(`pointer at ${at} leads to ${target}`);
      at = target;
      continue;
    }
    if (head > 63 || at + 1 + head > bytes.length) throw new Error(`label of ${head} at ${at}`);
    length += head + 1;
    if (length > 255) throw new Error(`name at ${start} is longer than 255`);
    labels.push(written(bytes.subarray(at + 1, at + 1 + head)));
    at += head + 1;
  }
}

function written(label: Buffer): string {
  let text = "";
  for (const byte of label) {
    if (byte === 0x2e || byte === 0x5c) text += `\\${String.fromCharCode(byte)}`;
    else text += byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\${String(byte).padStart(3, "0")}`;
  }
  return text;
}

/** Octets before the names in the data, and how many names there are. */
const NAMES_IN: Readonly<Record<number, readonly [skip: number, names: number]>> = {
  [TYPE.NS]: [0, 1],
  [TYPE.CNAME]: [0, 1],
  [TYPE.SOA]: [0, 2],
  [TYPE.PTR]: [0, 1],
  [TYPE.MX]: [2, 1],
  [TYPE.SRV]: [6, 1],
  [TYPE.DNAME]: [0, 1],
};

function readData(bytes: Buffer, type: number, start: number, end: number): string {
  const [skip, names] = NAMES_IN[type] ?? [end - start, 0];
  let text = bytes.toString("hex", start, start + skip);
  let at = start + skip;
  for (let i = 0; i < names; i += 1) {
    const read = readName(bytes, at);
    text += ` ${read.name.toLowerCase()}.`;
    at = read.end;
  }
  if (at > end) throw new Error(`data at ${start} ends beyond its length`);
  return `${text} ${bytes.toString("hex", at, end)}`.trim();
}

/** Throws when anything in it is not as it should be. */
export function readReply(bytes: Buffer): Reply {
  const flags = bytes.readUInt16BE(2);
  if ((flags & 0x8000) === 0 || bytes.readUInt16BE(4) !== 1) throw new Error("no reply with one question");
  const question = readName(bytes, 12);
  let at = question.end + 4;
  const sections: ReadRecord[][] = [[], [], []];
  for (const [section, into] of sections.entries()) {
    for (let left = bytes.readUInt16BE(6 + 2 * section); left > 0; left -= 1) {
      const owner = readName(bytes, at);
      const type = bytes.readUInt16BE(owner.end);
      const dataAt = owner.end + 10;
      const end = dataAt + bytes.readUInt16BE(owner.end + 8);
      if (end > bytes.length) throw new Error(`record at ${at} ends beyond the message`);
      into.push({
        owner: owner.name.toLowerCase(),
        type,
        class: bytes.readUInt16BE(owner.end + 2),
        ttl: bytes.readUInt32BE(owner.end + 4),
        data: readData(bytes, type, dataAt, end),
      });
      at = end;
    }
  }
  if (at !== bytes.length) throw new Error(`${bytes.length - at} octets are left over`);
  const [answers = [], authorities = [], additionals = []] = sections;
  const opt = additionals.find(({ type }) => type === TYPE.OPT);
  return {
    id: bytes.readUInt16BE(0),
    rcode: (flags & 15) | (((opt?.ttl ?? 0) >>> 24) << 4),
    aa: (flags & 0x0400) !== 0,
    tc: (flags & 0x0200) !== 0,
    rd: (flags & 0x0100) !== 0,
    ra: (flags & 0x0080) !== 0,
    ad: (flags & 0x0020) !== 0,
    cd: (flags & 0x0010) !== 0,
    question: `${question.name} ${bytes.readUInt16BE(question.end)}`,
    answers,
    authorities,
    additionals: additionals.filter(({ type }) => type !== TYPE.OPT),
    edns: opt !== undefined,
    size: bytes.length,
  };
}
