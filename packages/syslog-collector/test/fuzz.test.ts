import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { rawBytes } from "../src/store/record.ts";
import { LAYOUT, Message } from "../src/wire/message.ts";
import { decodeMessage } from "../src/wire/decode.ts";
import { daysSinceEpoch, nearestYear, Timestamp, yearOf } from "../src/wire/timestamp.ts";
import { collect } from "./collecting.ts";
import { VECTORS } from "./vectors.ts";

// Thousands of runs, on a machine that may be busy with other tests.
vi.setConfig({ testTimeout: 30_000 });

const RUNS = { numRuns: 2_000 };

/** Pieces that the grammars care about, so that random input gets deep. */
const tokens = fc.array(
  fc.oneof(
    fc.constantFrom(
      "<13>",
      "<189>",
      "<192>",
      "1 ",
      "- ",
      " ",
      ":",
      ": ",
      "*",
      ".",
      "%SYS-5-X",
      "[",
      "]",
      '"',
      "\\",
      "=",
      "\n",
    ),
    fc.constantFrom(
      "Nov 22 14:42:01",
      "Feb 29 00:00:00",
      "2026-11-22T14:42:01.5Z",
      "2026 Nov 22 14:42:01",
      " UTC",
      "RP/0/0:",
    ),
    fc.constantFrom("123", "000", "su", "[12]", 'x="1"', "\u0000", "é", "\u{feff}", "1w2d", "host ", "tag:"),
    fc.string({ maxLength: 5 }),
  ),
  { maxLength: 30 },
);
const grammatical = tokens.map((parts) => new Uint8Array(Buffer.from(parts.join(""))));
const mutated = fc
  .tuple(fc.constantFrom(...VECTORS), fc.nat(), fc.uint8Array({ maxLength: 4 }), fc.nat({ max: 3 }))
  .map(([{ bytes }, at, patch, cut]) => {
    const source = Buffer.from(bytes as string);
    const from = source.length === 0 ? 0 : at % source.length;
    return new Uint8Array(Buffer.concat([source.subarray(0, from), patch, source.subarray(from + cut)]));
  });
const datagram = fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 300 }), grammatical, mutated);

describe("whatever arrives", () => {
  test("is one line of JSON that gives the bytes back exactly", () => {
    fc.assert(
      fc.property(
        datagram.filter((bytes) => bytes.length > 0),
        (bytes) => {
          const { line, record } = collect(bytes);
          expect(line?.indexOf("\n")).toBe((line ?? "").length - 1);
          expect(record === undefined ? undefined : rawBytes(record).equals(bytes)).toBe(true);
        },
      ),
      RUNS,
    );
  });

  test("is escaped as JSON.stringify would, so that a search may compare bytes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 1, maxLength: 50 }), (text) => {
        const bytes = Buffer.from(text);
        const { line, record } = collect(bytes);
        expect(record?.raw).toBe(bytes.toString());
        expect(line).toContain(`"raw":${JSON.stringify(bytes.toString())}`);
      }),
      RUNS,
    );
  });

  test("is decoded without looking outside of it", () => {
    fc.assert(
      fc.property(
        datagram,
        fc.uint8Array({ maxLength: 40 }),
        fc.uint8Array({ maxLength: 40 }),
        (bytes, before, after) => {
          const alone = new Message();
          const inside = new Message();
          decodeMessage(bytes, 0, bytes.length, 1.79e9, alone);
          const slab = Buffer.concat([before, bytes, after]);
          decodeMessage(slab, before.length, before.length + bytes.length, 1.79e9, inside);
          expect(shape(inside, before.length)).toEqual(shape(alone, 0));
        },
      ),
      RUNS,
    );
  });

  test("leaves every field within the datagram", () => {
    const message = new Message();
    fc.assert(
      fc.property(datagram, (bytes) => {
        decodeMessage(bytes, 0, bytes.length, 1.79e9, message);
        for (const [start, end] of spans(message)) {
          expect(start).toBeGreaterThanOrEqual(0);
          expect(end).toBeGreaterThanOrEqual(start);
          expect(end).toBeLessThanOrEqual(bytes.length);
        }
      }),
      RUNS,
    );
  });
});

test("a message that we compose is read back, field by field", () => {
  const name = fc.stringMatching(/^[!-~]{1,20}$/).filter((text) => text !== "-");
  const value = fc.string({ maxLength: 20 });
  const sdName = fc.stringMatching(/^[a-zA-Z0-9@.]{1,12}$/);
  fc.assert(
    fc.property(
      fc.record({
        priority: fc.nat(191),
        host: name,
        app: name,
        pid: name,
        msgid: name,
        id: sdName,
        key: sdName,
        value,
      }),
      ({ priority, host, app, pid, msgid, id, key, value: text }) => {
        const escaped = text.replaceAll(/["\\\]]/g, String.raw`\$&`);
        const { record } = collect(
          Buffer.from(
            `<${priority}>1 2026-11-22T14:42:01Z ${host} ${app} ${pid} ${msgid} [${id} ${key}="${escaped}"] text`,
          ),
        );
        expect(record).toMatchObject({ host, app, pid, msgid, facility: priority >> 3, severity: priority & 7 });
        expect(record?.sd?.[id]?.[key]).toBe(Buffer.from(text).toString());
        expect(record?.message).toBe("text");
      },
    ),
    RUNS,
  );
});

describe("the year that a sender leaves out", () => {
  test.each([
    ["Dec 31 23:59:59", "2026-01-01T00:00:05Z", 2025],
    ["Jan  1 00:00:05", "2025-12-31T23:59:59Z", 2026],
    ["Jun 15 12:00:00", "2026-06-15T12:00:00Z", 2026],
    ["Mar  1 00:00:00", "2026-11-22T00:00:00Z", 2027],
    ["Feb 29 00:00:00", "2026-11-22T00:00:00Z", 2028],
    ["Feb 29 00:00:00", "2101-01-01T00:00:00Z", 2104],
  ])("of %s received at %s is %i", (text, received, year) => {
    const { record } = collect(Buffer.from(`<13>${text} h a: t`), { seconds: Date.parse(received) / 1_000 });
    expect(record?.time?.slice(0, 4)).toBe(String(year));
  });

  test("is never more than half a year away", () => {
    const time = new Timestamp();
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e9 }), fc.integer({ min: 1, max: 12 }), (received, month) => {
        time.month = month;
        time.day = 28;
        const year = nearestYear(time, received);
        expect(Math.abs(daysSinceEpoch(year, month, 28) * 86_400 - received)).toBeLessThanOrEqual(184 * 86_400);
      }),
      RUNS,
    );
  });

  test("counts days as Date does", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_294_967_295 }), (at) => {
        const date = new Date(at * 1_000);
        const day = daysSinceEpoch(date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate());
        expect(day).toBe(Math.floor(at / 86_400));
        expect(yearOf(at)).toBe(date.getUTCFullYear());
      }),
      RUNS,
    );
  });
});

function spans(message: Message): readonly (readonly [number, number])[] {
  return [
    [message.hostStart, message.hostEnd],
    [message.appStart, message.appEnd],
    [message.pidStart, message.pidEnd],
    [message.msgidStart, message.msgidEnd],
    [message.textStart, message.textEnd],
    [message.time.fractionStart, message.time.fractionEnd],
  ];
}

/** What was decoded, with positions relative to the datagram. */
function shape(message: Message, offset: number): unknown {
  const { layout, priority, priorityState, counter, sequence, structuredData } = message;
  const relative = spans(message).map(([start, end]) => (start === end ? 0 : [start - offset, end - offset]));
  const { present, zone, unsynchronized } = message.time;
  const counts = [structuredData.elements, structuredData.parameters];
  const unparsed = layout === LAYOUT.unparsed;
  return {
    layout,
    unparsed,
    priority,
    priorityState,
    counter,
    sequence,
    counts,
    present,
    zone,
    unsynchronized,
    relative,
  };
}
