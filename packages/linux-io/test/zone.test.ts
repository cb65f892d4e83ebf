import { networkInterfaces } from "node:os";
import { milliseconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { expect, test } from "vitest";
import { withZoneIndex, withZoneName, ZoneTable } from "../src/zone.ts";

test("addresses without a zone are left alone", () => {
  const endpoint = { address: "fd00::1", port: 53 };
  expect(withZoneIndex(endpoint)).toBe(endpoint);
  expect(withZoneName("fd00::1")).toBe("fd00::1");
});

test("an interface that is not there has no index", () => {
  expect(withZoneIndex({ address: "fe80::1%nosuch0", port: 53 })).toEqual({ address: "fe80::1%0", port: 53 });
  expect(withZoneName("fe80::1%0")).toBe("fe80::1%0");
  expect(withZoneName("fe80::1%4000000")).toBe("fe80::1%4000000");
});

test("a zone that is an index already stays what it is", () => {
  expect(withZoneIndex({ address: "fe80::1%4000000", port: 53 })).toEqual({ address: "fe80::1%4000000", port: 53 });
});

test("every interface with a link-local address is named by its index and back", () => {
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    const linkLocal = addresses?.find((address) => address.family === "IPv6" && address.address.startsWith("fe80:"));
    const there = withZoneIndex({ address: `fe80::1%${name}`, port: 1 }).address;
    expect(withZoneName(there)).toBe(linkLocal === undefined ? "fe80::1%0" : `fe80::1%${name}`);
  }
});

test("an interface that comes later is found, and one that never does is looked for once a second", async () => {
  const clock = new FakeClock();
  let reads = 0;
  let there: ReturnType<typeof networkInterfaces> = {};
  const table = new ZoneTable(clock, () => {
    reads += 1;
    return there;
  });
  for (let i = 0; i < 100; i += 1) expect(table.indexOf("eth7")).toBe(0);
  expect(reads).toBe(1);
  const address = { address: "fe80::1", netmask: "", mac: "", internal: false, cidr: null } as const;
  there = { eth7: [{ ...address, family: "IPv6", scopeid: 7 }] };
  await clock.run(milliseconds(999));
  expect(table.indexOf("eth7")).toBe(0);
  await clock.run(milliseconds(1));
  expect([table.indexOf("eth7"), table.nameOf(7), table.nameOf(0)]).toEqual([7, "eth7", undefined]);
  for (let i = 0; i < 100; i += 1) table.indexOf("eth7");
  expect(reads).toBe(2);
});
