import fc from "fast-check";

// Messages written octet by octet, for what no encoder would write.

export const u16 = (value: number): readonly number[] => [value >>> 8, value & 255];
export const u32 = (value: number): readonly number[] => [...u16(value >>> 16), ...u16(value & 0xffff)];
const text = (label: string): readonly number[] => [...Buffer.from(label, "latin1")];
/** One label. */
export const label = (value: string): readonly number[] => [value.length, ...text(value)];
/** A whole name; dots are where labels end. */
export const name = (value: string): readonly number[] => [
  ...value
    .split(".")
    .filter((each) => each !== "")
    .flatMap(label),
  0,
];
export const pointer = (to: number): readonly number[] => u16(0xc000 | to);
/** Type A, class IN. */
export const A_IN: readonly number[] = [0, 1, 0, 1];

export interface Counts {
  readonly questions?: number;
  readonly answers?: number;
  readonly authorities?: number;
  readonly additionals?: number;
}

export function message(flags: number, counts: Counts, ...parts: (readonly number[])[]): Uint8Array {
  const { questions = 1, answers = 0, authorities = 0, additionals = 0 } = counts;
  const numbers = [questions, answers, authorities, additionals].flatMap((count) => [...u16(count)]);
  return Uint8Array.from([0x12, 0x34, ...u16(flags), ...numbers, ...parts.flat()]);
}

/** A record whose length may be a lie. */
export function record(
  owner: readonly number[],
  type: number,
  data: readonly number[],
  length: number = data.length,
  recordClass: number = 1,
): readonly number[] {
  return [...owner, ...u16(type), ...u16(recordClass), ...u32(60), ...u16(length), ...data];
}

export const opt = (data: readonly number[] = [], length: number = data.length): readonly number[] =>
  record([0], 41, data, length, 1_232);

/** What chance makes of well-formed messages: octets changed, pieces cut out, doubled, or put in from another. */
export function mutated(seeds: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({
    what: fc.constantFrom("set", "set", "set", "cut", "double", "splice", "end"),
    at: fc.nat(700),
    length: fc.integer({ min: 1, max: 24 }),
    // Counts, labels, pointers and lengths that are likely to hurt.
    value: fc.oneof(fc.constantFrom(0, 1, 2, 12, 41, 63, 64, 128, 191, 192, 255), fc.nat(255)),
    other: fc.constantFrom(...seeds),
  });
  return fc.tuple(fc.constantFrom(...seeds), fc.array(edit, { minLength: 1, maxLength: 6 })).map(([seed, edits]) => {
    let bytes = Uint8Array.from(seed);
    for (const { what, at: wanted, length, value, other } of edits) {
      const at = bytes.length === 0 ? 0 : wanted % bytes.length;
      const piece = bytes.slice(at, at + length);
      if (what === "set" && bytes.length > 0) bytes[at] = value;
      if (what === "cut") bytes = Uint8Array.from([...bytes.slice(0, at), ...bytes.slice(at + length)]);
      if (what === "double") bytes = Uint8Array.from([...bytes.slice(0, at), ...piece, ...bytes.slice(at)]);
      if (what === "splice") bytes = Uint8Array.from([...bytes.slice(0, at), ...other.slice(at)]);
      if (what === "end") bytes = bytes.slice(0, at);
    }
    return bytes;
  });
}
