import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { countUpdates, firstClose, firstLinkStateUpdate, firstUpdate, withdrawals } from "../src/sighting.ts";
import { accountOf, numbersIn } from "../src/drill/log-stream.ts";
import type { Nanoseconds } from "../src/lab.ts";
import { parsePcap } from "../src/namespace/pcap.ts";
import { between, experience, firstAnswerFrom, lostBetween, median } from "../src/probe/gap.ts";
import type { DnsRecord } from "../src/probe/record.ts";
import { bars, marks, strip, strips } from "../src/picture.ts";
import { averages } from "../src/probe/start-flood.ts";
import { table } from "../src/table.ts";

const MS = 1e6;
const START = 5_000_000_000n;

/** `a` answered by nyc, `b` by lon, `.` lost; one query a millisecond. */
function recordOf(story: string): DnsRecord {
  const sent = [...story].map((_, n) => n * MS);
  return {
    start: String(START),
    sent,
    answered: [...story].map((letter, n) => (letter === "." ? -1 : n * MS + 200_000)),
    site: [...story].map((letter) => "ab".indexOf(letter)),
    sites: ["nyc", "lon"],
  };
}
const at = (ms: number): Nanoseconds => (START + BigInt(ms * MS)) as Nanoseconds;

describe("what a client lived through", () => {
  test("the longest gap runs from its first lost query to the next answered one", () => {
    expect(experience(recordOf("aa.aaa...bb"))).toEqual({
      sent: 11,
      answered: 7,
      lost: 4,
      longestGapMs: 3,
      bySite: { nyc: 5, lon: 2 },
    });
  });

  test("a gap that never ends lasts to the end of the record", () => {
    expect(experience(recordOf("aa....")).longestGapMs).toBe(3);
  });

  test("no loss is no gap", () => {
    expect(experience(recordOf("aabb"))).toMatchObject({ lost: 0, longestGapMs: 0 });
  });

  test("the move is counted from the event, and only queries sent after it", () => {
    const record = recordOf("ba...bbaa");
    expect(firstAnswerFrom(record, "lon", at(2))).toBe(3);
    expect(firstAnswerFrom(record, "oslo", at(2))).toBeUndefined();
  });

  test("losses are attributed to the time in which the query was sent", () => {
    const record = recordOf("a..bb.aa");
    expect([lostBetween(record, at(0), at(4)), lostBetween(record, at(4), at(8))]).toEqual([2, 1]);
  });

  test("a part of a record is the queries that were sent in it, each with its own fate", () => {
    const record = recordOf("aa..bbbb");
    const [first, second] = [between(record, at(0), at(3)), between(record, at(3), at(8))].map(experience);
    expect(first).toMatchObject({ sent: 3, lost: 1, bySite: { nyc: 2, lon: 0 } });
    expect(second).toMatchObject({ sent: 5, lost: 1, bySite: { nyc: 0, lon: 4 } });
  });

  test("lost and answered always add up to sent, and the gap never exceeds the record", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("a", "b", "."), { minLength: 1, maxLength: 300 }), (letters) => {
        const seen = experience(recordOf(letters.join("")));
        expect(seen.answered + seen.lost).toBe(seen.sent);
        expect(seen.longestGapMs).toBeLessThanOrEqual(seen.sent);
        expect(Object.values(seen.bySite).reduce((sum, n) => sum + n, 0)).toBe(seen.answered);
      }),
    );
  });
});

test("the median of an even number of values lies between the middle two", () => {
  expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5]);
});

describe("the account of a message stream", () => {
  const sent = { start: "0", sent: [0, 1, 2, 3, 4].map((n) => n * MS) };

  test("tells stored, lost and duplicated apart", () => {
    const stores = new Map([
      ["nyc", [0, 1, 1]],
      ["lon", [1, 4]],
    ]);
    expect(accountOf(sent, stores)).toEqual({
      sent: 5,
      storedAt: { nyc: 2, lon: 2 },
      lost: 2,
      duplicated: 2,
      holeMs: 1,
    });
  });

  test("reads the numbers of its own run only, whatever is around them", () => {
    const text = '{"message":"run=k1 n=7"}\n{"message":"run=k2 n=8"}\n{"raw":"<134>1 - x run=k1 n=12"}\n';
    expect(numbersIn(text, "k1")).toEqual([7, 12]);
  });
});

/** Ethernet, IPv4, TCP without options; what is not looked at is zero. */
function tcp(source: number[], flags: number, payload: number[]): Uint8Array {
  const packet = new Uint8Array(54 + payload.length);
  packet.set([0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, ...source, 10, 3, 1, 1], 14);
  packet.set([0x50, flags], 46);
  packet.set(payload, 54);
  return packet;
}

/** A BGP message of zeros. */
function message(type: number, length: number): number[] {
  const bytes = Array<number>(length).fill(0);
  return bytes.fill(255, 0, 16).with(17, length).with(18, type);
}

/** Ethernet, IPv4, OSPF version 2. */
function ospf(type: number, source: number[]): Uint8Array {
  const packet = new Uint8Array(58);
  packet.set([0x45, 0, 0, 0, 0, 0, 0, 0, 1, 89, 0, 0, ...source, 224, 0, 0, 5, 2, type], 14);
  return packet;
}

describe("a capture", () => {
  const host = [10, 3, 1, 10];
  const packets = [
    { time: at(0), bytes: tcp(host, 0x18, message(2, 23)) },
    { time: at(1), bytes: tcp([10, 3, 1, 1], 0x18, message(2, 23)) },
    { time: at(2), bytes: tcp(host, 0x18, message(4, 19)) },
    { time: at(3), bytes: tcp(host, 0x18, [...message(4, 19), ...message(2, 30)]) },
    { time: at(4), bytes: tcp(host, 0x11, []) },
  ];

  test("shows the first UPDATE of the host after the event, also behind a KEEPALIVE", () => {
    expect(firstUpdate(packets, "10.3.1.10", at(1))).toBe(at(3));
  });

  test("shows when the host's session was closed", () => {
    expect(firstClose(packets, "10.3.1.10", at(1))).toBe(at(4));
  });

  test("counts the UPDATEs of the host, whatever else it says", () => {
    expect([countUpdates(packets, "10.3.1.10", at(0)), countUpdates(packets, "10.3.1.10", at(1))]).toEqual([2, 1]);
  });

  test("shows which host routes were withdrawn, by IPv4 and by IPv6", () => {
    const four = [0, 5, 32, 10, 10, 10, 53, 0, 0];
    const vip = [0xfd, 0, 0, 0x10, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x53];
    const six = [0, 0, 0, 28, 0x40, 1, 1, 0, 0x90, 15, 0, 20, 0, 2, 1, 128, ...vip];
    const update = (body: number[]): number[] => [...message(2, 19 + body.length).slice(0, 19), ...body];
    const seen = [
      { time: at(0), bytes: tcp(host, 0x18, [...message(4, 19), ...update(four)]) },
      { time: at(1), bytes: tcp([10, 3, 1, 1], 0x18, update(four)) },
      { time: at(2), bytes: tcp(host, 0x18, [...update(six), ...update([0, 4, 24, 10, 1, 2, 0, 0])]) },
    ];
    expect(withdrawals(seen, "10.3.1.10", at(0))).toEqual([
      { time: at(0), address: "10.10.10.53" },
      { time: at(2), address: "fd00:10:10::53" },
    ]);
    expect(withdrawals(seen, "10.3.1.10", at(1))).toHaveLength(1);
  });

  test("shows the first Link State Update of the host, and no Hello", () => {
    const sent = [ospf(4, host), ospf(1, host), ospf(4, [10, 3, 1, 1]), ospf(4, host)];
    const seen = sent.map((bytes, n) => ({ time: at(n), bytes }));
    expect([firstLinkStateUpdate(seen, "10.3.1.10", at(1)), firstUpdate(seen, "10.3.1.10", at(0))]).toEqual([
      at(3),
      undefined,
    ]);
  });

  test("never throws on whatever was captured", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        const seen = [{ time: at(0), bytes }];
        firstUpdate(seen, "0.0.0.0", at(0));
        firstClose(seen, "0.0.0.0", at(0));
        firstLinkStateUpdate(seen, "0.0.0.0", at(0));
        countUpdates(seen, "0.0.0.0", at(0));
        withdrawals(seen, "0.0.0.0", at(0));
        expect(seen).toHaveLength(1);
      }),
    );
  });

  test("file is read record by record, a torn last one left out", () => {
    const file = Buffer.alloc(24 + 16 + 3 + 16);
    file.writeUInt32LE(0xa1b23c4d, 0);
    file.writeUInt32LE(7, 24);
    file.writeUInt32LE(9, 28);
    file.writeUInt32LE(3, 32);
    file.set([1, 2, 3], 40);
    file.writeUInt32LE(99, 43 + 8);
    expect(parsePcap(file)).toEqual([{ wall: 7_000_000_009n, bytes: Buffer.from([1, 2, 3]) }]);
    expect(parsePcap(file.subarray(0, 10))).toEqual([]);
  });
});

test("a table aligns numbers to the right and words to the left", () => {
  expect(
    table([
      { client: "branch", lost: 7 },
      { client: "a", lost: 12 },
    ]),
  ).toBe("client  lost\n------  ----\nbranch     7\na         12");
});

describe("a picture", () => {
  test("draws a query as the first letter of its site, a lost one as a dot", () => {
    expect(strip(recordOf("aab.b"), 1, 4)).toBe("nl.");
  });

  test("thinned out, it still shows every loss", () => {
    const records = new Map([
      ["branch", recordOf("aaaaa.aabbbb")],
      ["a", recordOf("bb")],
    ]);
    expect(strips(records, 4)).toEqual(["branch n.l", "a      l"]);
  });

  test("has bars as high as the share of the whole, and nothing for nothing", () => {
    expect(bars([0, 1, 4, 8, 99], 8)).toBe(" ▁▄██");
    expect(bars([5], 0)).toBe(" ");
  });

  test("names what happened under the moment of it, on a line of its own where words would touch", () => {
    const words = [
      { at: 1, word: "one" },
      { at: 3, word: "two" },
      { at: 9, word: "three" },
    ];
    expect(marks(words)).toEqual([" ^ one   ^ three", "   ^ two"]);
  });
});

test("a flood is averaged over its seconds", () => {
  expect(averages({ sent: [100, 200], answered: [50, 51] })).toEqual({ sent: 150, answered: 51 });
});
