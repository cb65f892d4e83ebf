import type { CapturedPacket, Nanoseconds } from "@stitch/lab";
import { describe, expect, test } from "vitest";
import type { CellRecord } from "../../interop/bgp/matrix-record.ts";
import type { CaseName } from "../failover/cases.ts";
import type { Seen } from "../failover/cell.ts";
import { changedUpdate } from "../failover/changed-update.ts";
import { matrixHead, matrixMissed, matrixRows } from "../failover/matrix.ts";
import { figuresOf, missedOf, rowsOf } from "../failover/report.ts";
import { parseRouteLine } from "../failover/route-line.ts";

const VIP = "10.10.10.53/32";

describe("a line of ip monitor", () => {
  const wall = BigInt(Date.parse("2026-11-27T03:51:19Z")) * 1_000_000n + 861_661_000n;

  test.each([
    ["[2026-11-27T03:51:19.861661] 10.10.10.53 via 10.99.0.2 dev wire0 proto bgp metric 20 ", "10.99.0.2"],
    ["[2026-11-27T03:51:19.861661] 10.10.10.53 nhid 12 via 10.99.0.2 dev wire0 proto bgp metric 20", "10.99.0.2"],
    ["[2026-11-27T03:51:19.861661] 10.10.10.53 dev lo scope link", undefined],
    ["[2026-11-27T03:51:19.861661] Deleted 10.10.10.53 nhid 12 via 10.99.0.2 dev wire0 proto bgp", undefined],
  ])("is a change of the route, with its time: %s", (line, via) => {
    expect(parseRouteLine(line, VIP)).toEqual({ wall, via });
  });

  test.each([
    "",
    "Unknown message: type=0x00000044(68)",
    "[2026-11-27T03:51:19.861661] 10.99.0.0/30 dev wire0 proto kernel scope link src 10.99.0.1",
    "[2026-11-27T03:51:19.861661] local 10.10.10.53 dev lo table local proto kernel scope host src 10.10.10.53",
    "[2026-11-27T03:51:19.861661] 10.10.10.53 dev lo table 7 scope link",
    "10.10.10.53 via 10.99.0.2 dev wire0",
  ])("is none of this route in the main table: %s", (line) => {
    expect(parseRouteLine(line, VIP)).toBeUndefined();
  });
});

/** Ethernet, IPv4, TCP and what it carries. */
function packet(time: number, source: readonly number[], payload: readonly number[]): CapturedPacket {
  const bytes = new Uint8Array(54 + payload.length);
  bytes.set([0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, ...source], 14);
  bytes[46] = 0x50;
  bytes.set(payload, 54);
  return { time: BigInt(time) as Nanoseconds, bytes };
}

function message(type: number, ...body: readonly number[]): number[] {
  return [...Array<number>(16).fill(255), 0, 19 + body.length, type, ...body];
}

function first(packets: readonly CapturedPacket[]): Nanoseconds | undefined {
  return changedUpdate(packets, "10.99.0.2", 10n as Nanoseconds);
}

describe("the first UPDATE that says something else", () => {
  const host = [10, 99, 0, 2];
  const [announced, endOfRib, keepalive] = [message(2, 0, 0, 0, 7, 1), message(2, 0, 0, 0, 0), message(4)];
  const withdrawn = message(2, 0, 5, 32, 10, 10, 10, 53, 0, 0);
  const before = [packet(1, host, [...announced, ...endOfRib]), packet(2, host, keepalive)];

  test("is not the old one once more, nor an End-of-RIB, nor a KEEPALIVE, nor the router's", () => {
    const same = [packet(11, host, announced), packet(12, host, endOfRib), packet(13, host, keepalive)];
    const routers = packet(14, [10, 99, 0, 1], withdrawn);
    expect(first([...before, ...same, routers])).toBeUndefined();
    expect(first([...before, ...same, routers, packet(15, host, [...keepalive, ...withdrawn])])).toBe(15n);
  });

  test("is after the fault", () => {
    expect(first([...before, packet(5, host, withdrawn), packet(11, host, withdrawn)])).toBeUndefined();
    expect(first([...before, packet(5, host, withdrawn), packet(11, host, announced)])).toBe(11n);
  });
});

function seen(fault: CaseName, contender: string, changes: Partial<Seen> = {}): Seen {
  return { fault, contender, told: 10, gone: 60, watched: 40_000, ...changes };
}

const GOOD: readonly Seen[] = [
  seen("service killed", "exabgp", { told: 4_000, gone: 4_060 }),
  ...[12, 15, 40].map((told) => seen("service killed", "stitch", { told })),
  seen("service hung", "stitch", { gone: 530 }),
  seen("host silent", "stitch", { told: undefined, gone: 8_500 }),
  seen("host silent", "stitch, BFD", { told: undefined, gone: 200 }),
  ...[1, 2].map(() => seen("drain", "stitch", { queries: { sent: 20_000, lost: 0 } })),
];

describe("the failover table", () => {
  test("has a row for each case and contender, ours first, with the rounds behind it", () => {
    const rows = rowsOf(GOOD);
    expect(rows.map((row) => `${row["case"]}/${row["contender"]}`)).toEqual([
      "service killed/stitch",
      "service killed/exabgp",
      "service hung/stitch",
      "host silent/stitch",
      "host silent/stitch, BFD",
      "drain/stitch",
    ]);
    expect(rows[0]).toMatchObject({ rounds: 3, "router told ms": "15.0 (12.0 to 40.0)", lost: "" });
    expect(rows[4]).toMatchObject({ "router told ms": "", "kernel route gone ms": "200.0" });
    expect(rows[5]).toMatchObject({ lost: "0 of 40000" });
  });

  test("says of a route that stayed how long it was watched", () => {
    const stayed = seen("checker hung", "exabgp", { told: undefined, gone: undefined });
    expect(rowsOf([stayed])[0]).toMatchObject({ "kernel route gone ms": "not within 40 s" });
    expect(rowsOf([stayed, seen("checker hung", "exabgp")])[0]).toMatchObject({
      rounds: 2,
      "kernel route gone ms": "60.0; 1 x not within 40 s",
    });
  });

  test("holds our goals against our figures alone", () => {
    expect(missedOf(GOOD)).toEqual([]);
    expect(figuresOf(GOOD)).toEqual({
      killed_update_ms: { median: 15, min: 12, max: 40 },
      hung_withdrawn_ms: { median: 530, min: 530, max: 530 },
      silent_bfd_ms: { median: 200, min: 200, max: 200 },
      drain_lost: 0,
    });
  });

  test.each<[string, Seen]>([
    ["killed_update_ms", seen("service killed", "stitch", { told: 21 })],
    ["killed_update_ms", seen("service killed", "stitch", { told: undefined })],
    ["hung_withdrawn_ms", seen("service hung", "stitch", { gone: 701 })],
    ["silent_bfd_ms", seen("host silent", "stitch, BFD", { gone: undefined })],
    ["drain_lost", seen("drain", "stitch", { queries: { sent: 20_000, lost: 1 } })],
  ])("misses %s", (figure, one) => {
    const rest = GOOD.filter(({ fault, contender }) => fault !== one.fault || contender !== one.contender);
    expect(missedOf([...rest, one])).toEqual([expect.stringContaining(figure)]);
  });

  test("misses what was not measured at all", () => {
    expect(missedOf([])).toHaveLength(4);
  });
});

describe("the record of the interop matrix", () => {
  const versions = { node: "v26.10.0", frr: "8.4.4" };
  const cells: readonly CellRecord[] = [
    {
      name: "our speaker and bird > withdraw",
      passed: false,
      ended: "2026-11-27T04:10:00.000Z",
      versions,
      timings: [{ cell: "bird: withdraw", milliseconds: 3.4 }],
    },
    {
      name: "our speaker and frr > withdraw",
      passed: true,
      ended: "2026-11-27T04:00:00.000Z",
      versions,
      timings: [80, 90, 100].map((milliseconds) => ({ cell: "frr: withdraw", milliseconds })),
    },
  ];

  test("is a table of cells and routers", () => {
    expect(matrixRows(cells)).toEqual([{ cell: "withdraw", "bird ms": "3", "frr ms": "90 (80 to 100)" }]);
  });

  test("says what is green, when it ran and with what; what is red is a goal missed", () => {
    const programs = "node v26.10.0, frr 8.4.4";
    const times = "2026-11-27T04:00:00.000Z to 2026-11-27T04:10:00.000Z";
    expect(matrixHead(cells)).toContain(`interop matrix: 1 of 2 tests passed, run ${times}, ${programs};`);
    expect(matrixMissed(cells)).toEqual(["failed at 2026-11-27T04:10:00.000Z: our speaker and bird > withdraw"]);
    expect(matrixHead([])).toContain("never run");
  });
});
