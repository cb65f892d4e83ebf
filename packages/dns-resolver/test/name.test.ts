import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { endOfName, expandName, formatName, isBelow, parseName, sameName } from "../src/wire/name.ts";

function name(text: string): Uint8Array {
  const wire = parseName(text);
  if (wire === undefined) throw new Error(`${text} is not a name`);
  return wire;
}

describe("names", () => {
  test("are labels, so a dot inside one does not make two", () => {
    expect(sameName(name("www\\.bank.example"), name("www.bank.example"))).toBe(false);
    expect(formatName(name("www\\.bank.example"))).toBe("www\\.bank.example.");
  });

  test("that share letters but not labels are not below each other", () => {
    expect(isBelow(name("notcorp.example"), name("corp.example"))).toBe(false);
    expect(isBelow(name("a.CORP.example"), name("corp.Example"))).toBe(true);
    expect(isBelow(name("corp.example"), name("corp.example"))).toBe(true);
    expect(isBelow(name("anything"), name("."))).toBe(true);
    expect(isBelow(name("example"), name("corp.example"))).toBe(false);
  });

  test("fold ASCII letters only", () => {
    expect(sameName(Uint8Array.of(1, 0xc1, 0), Uint8Array.of(1, 0xe1, 0))).toBe(false);
    expect(sameName(name("ABC"), name("abc"))).toBe(true);
  });

  test("beyond 63 bytes a label or 255 in all are none", () => {
    expect(parseName("a".repeat(63))).toBeDefined();
    expect(parseName("a".repeat(64))).toBeUndefined();
    expect(parseName(`${"a".repeat(49)}.`.repeat(5))?.length).toBe(251);
    expect(parseName(`${"a".repeat(63)}.`.repeat(4))).toBeUndefined();
    expect(parseName("a..b")).toBeUndefined();
  });

  test("with a pointer to itself, forwards or in a ring end at once", () => {
    expect(expandName(Uint8Array.of(0xc0, 0), 0, 2).ok).toBe(false);
    expect(expandName(Uint8Array.of(0xc0, 2, 0xc0, 0), 2, 4).ok).toBe(false);
    expect(expandName(Uint8Array.of(0xc0, 4, 0, 0, 0), 0, 5).ok).toBe(false);
    expect(endOfName(Uint8Array.of(0xc0, 0), 0, 2)).toBe(-1);
  });

  test("are expanded through pointers", () => {
    const bytes = Uint8Array.from([...name("example.com"), 3, 0x77, 0x77, 0x77, 0xc0, 0]);
    const start = name("example.com").length;
    const expanded = expandName(bytes, start, bytes.length);
    expect(expanded.ok && formatName(expanded.value)).toBe("www.example.com.");
    expect(expanded.ok && expanded.end).toBe(bytes.length);
  });

  test("survive being written and read again, whatever bytes they hold", () => {
    const labels = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 5 });
    fc.assert(
      fc.property(labels, (parts) => {
        const wire = Uint8Array.from([...parts.flatMap((part) => [part.length, ...part]), 0]);
        expect(parseName(formatName(wire))).toEqual(wire);
      }),
    );
  });

  test("in arbitrary bytes are found or not, without a throw, and never end beyond the limit", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat(600), (bytes, start) => {
        const end = endOfName(bytes, start, bytes.length);
        expect(end === -1 || (end > start && end <= bytes.length)).toBe(true);
        const found = expandName(bytes, start, bytes.length);
        expect(found.ok ? found.value.length : 0).toBeLessThanOrEqual(255);
      }),
      { numRuns: 2_000 },
    );
  });
});
