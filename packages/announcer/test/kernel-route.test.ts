import { GRACEFUL_SHUTDOWN, type Prefix } from "@stitch/bgp-speaker";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseTables } from "../src/speaker/ip-output.ts";
import { difference, kernelRouteFor, linesFor } from "../src/speaker/kernel-route.ts";

const DNS: Prefix = { family: "ipv4", address: "10.10.10.53", length: 32 };
const DNS6: Prefix = { family: "ipv6", address: "fd00:10:10::53", length: 128 };
const normal = kernelRouteFor({ prefix: DNS });
const worse = kernelRouteFor({ prefix: DNS, communities: [GRACEFUL_SHUTDOWN] });

describe("a wish as a kernel route", () => {
  test("is a route to lo while normal, and a blackhole with a worse metric as last resort", () => {
    expect(linesFor({ add: [normal, worse], remove: [] }, 199)).toEqual([
      "route replace unicast 10.10.10.53/32 dev lo proto 199 metric 20",
      "route replace blackhole 10.10.10.53/32 proto 199 metric 16777214",
    ]);
  });

  test("changes by adding before removing, so that the address is never gone between", () => {
    expect(linesFor(difference([worse], [normal]), 200)).toEqual([
      "route replace blackhole 10.10.10.53/32 proto 200 metric 16777214",
      "route del unicast 10.10.10.53/32 proto 200 metric 20",
    ]);
  });

  test("costs nothing where it is there already", () => {
    expect(difference([normal], [normal])).toEqual({ add: [], remove: [] });
  });
});

describe("what ip prints", () => {
  const LOCAL =
    '[{"type":"local","dst":"10.10.10.53","dev":"lo","flags":[]},{"type":"local","dst":"127.0.0.0/8","protocol":"kernel"}]';

  test("is read as routes of ours and addresses of this machine", () => {
    const main = `[{"dst":"10.10.10.53","dev":"lo","metric":20},{"type":"blackhole","dst":"10.9.0.0/16"}]`;
    const tables = parseTables(`${main}\n${LOCAL}\n`, "ipv4");
    expect(tables?.routes).toEqual([
      { prefix: DNS, type: "unicast", metric: 20 },
      { prefix: { family: "ipv4", address: "10.9.0.0", length: 16 }, type: "blackhole", metric: 0 },
    ]);
    const local = ["10.10.10.53", "127.1.2.3", "10.10.10.54"].map((address) => tables?.local.check(address, "ipv4"));
    expect([local, [...(tables?.onInterface ?? [])]]).toEqual([[true, true, false], ["127.0.0.0/8"]]);
  });

  test("knows the default route and IPv6 host routes", () => {
    const text = '[{"dst":"default","metric":5},{"dst":"fd00:10:10::53","metric":20}]\n[]';
    expect(parseTables(text, "ipv6")?.routes.map(({ prefix }) => prefix)).toEqual([
      { family: "ipv6", address: "::", length: 0 },
      DNS6,
    ]);
  });

  test.each([
    ["nothing", ""],
    ["one table", LOCAL],
    ["three tables", `${LOCAL}\n${LOCAL}\n${LOCAL}`],
    ["words", "RTNETLINK answers: no\n[]"],
    ["an object", "{}\n[]"],
  ])("%s is refused", (_what, text) => {
    expect(parseTables(text, "ipv4")).toBeUndefined();
  });

  test("never becomes words of a command that are not there", () => {
    const hostile =
      '[{"type":"unicast 0.0.0.0/0 dev eth0 #","dst":"10.0.0.1"},{"dst":"1.2.3.4 dev x"},{"metric":"1"},7]';
    expect(parseTables(`${hostile}\n[]`, "ipv4")?.routes).toEqual([]);
  });

  test("never throws", () => {
    fc.assert(
      fc.property(fc.string(), fc.json(), (text, json) => {
        expect(parseTables(text, "ipv4")).toBeUndefined();
        expect(parseTables(`[${json}]\n[${json}]`, "ipv6")?.local.check("::1", "ipv6")).not.toBe(true);
      }),
    );
  });
});
