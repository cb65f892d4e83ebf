import { ConfigError, SiteDocument } from "@stitch/config";
import { describe, expect, test } from "vitest";
import { announcerConfig } from "../src/config.ts";

const GOOD = `site: nyc
announcer:
  asn: 65101
  routerId: 10.1.0.10
  peers: [ { address: 10.1.0.1, asn: 65100 } ]
  vips: [ { prefix: 10.10.10.53/32, service: dns, check: { lease: "http://127.0.0.1:8153" } } ]
`;

function problems(text: string): string {
  try {
    announcerConfig(SiteDocument.parse(text, "site.yaml"));
    return "";
  } catch (failure) {
    if (!(failure instanceof ConfigError)) throw failure;
    return failure.message;
  }
}

describe("the announcer's section", () => {
  test("has defaults for all that a site need not say", () => {
    const config = announcerConfig(SiteDocument.parse(GOOD, "site.yaml"));
    expect(config).toMatchObject({
      control: "/run/stitch/announcer.sock",
      drain: { time: 5_000, max: 60_000 },
      peers: [{ port: 179, holdTime: 9_000 }],
      vips: [{ rise: 3, fall: 3, holdDown: 3_000, check: { timeout: 500 } }],
    });
    expect(config.vips[0]?.check).toMatchObject({ lease: { href: "http://127.0.0.1:8153/health/lease" } });
    expect(Object.isFrozen(config.peers[0])).toBe(true);
  });

  test("needs no peer where the kernel speaker announces, which has defaults of its own", () => {
    const text = GOOD.replace(/peers: .*/, "kernel: {}");
    expect(announcerConfig(SiteDocument.parse(text, "site.yaml"))).toMatchObject({
      peers: [],
      kernel: { protocol: 199, watchdog: 3_000 },
    });
  });

  test.each([
    [
      "peers: [ { address: 10.1.0.1, asn: 65100 } ]",
      "",
      /announcer\.peers: names no router, and there is no kernel speaker/,
    ],
    [
      "peers: [",
      "kernel: { proto: 199 }\n  peers: [",
      /announcer\.kernel: unknown setting "proto"; did you mean "protocol"/,
    ],
    ["peers: [", "kernel: { protocol: 2 }\n  peers: [", /announcer\.kernel\.protocol: /],
    ["peers: [", "kernel: { watchdog: 10ms }\n  peers: [", /announcer\.kernel\.watchdog: "10ms" is not/],
    ["routerId: 10.1.0.10", "routerId: 10.10.10.53", /announcer\.routerId: "10\.10\.10\.53" is a VIP/],
    ["asn: 65101", "asn: 0", /announcer\.asn: .*autonomous system number from 1 to 4294967294/],
    ["asn: 65101", "asm: 65101", /announcer: unknown setting "asm"; did you mean "asn"\?/],
    ["asn: 65100 }", "asn: 65100, bfd: { interval: 10ms } }", /peers\[0\]\.bfd\.interval: "10ms" is not/],
    ["asn: 65100 }", "asn: 65100, bfd: { multiplier: 0 } }", /peers\[0\]\.bfd\.multiplier/],
    ["asn: 65100 }", "asn: 65100, ttlSecurity: 1, multihop: 4 }", /multihop: ttlSecurity sends with TTL 255 already/],
    ["asn: 65100 }", "asn: 65100, multihop: 4, bfd: {} }", /bfd: watches one link only/],
    [
      "asn: 65100 }",
      "asn: 65100, bfd: {} }, { address: 10.1.0.1, port: 1790, asn: 65100, bfd: {} }",
      /peers\[1\]\.bfd: another peer at 10\.1\.0\.1 has it already; .* leave it out here/,
    ],
    [
      "10.1.0.1, asn: 65100 }",
      '"FE80::1", asn: 65100, nextHop: 10.1.0.10, bfd: {} }',
      /peers\[0\]\.bfd: cannot watch the link-local address fe80::1; .*global or unique local/,
    ],
    ["asn: 65100 }", "asn: 65100, holdTime: 1s }", /peers\[0\]\.holdTime: "1s" is not/],
    ["10.10.10.53/32", "10.10.10.53/24", /vips\[0\]\.prefix: "10\.10\.10\.53\/24" is not a prefix/],
    ["http://127.0.0.1:8153", "https://127.0.0.1:8153", /check\.lease: .* is not the service's health address/],
    ["asn: 65100 }", "asn: 65100, nextHop: 0.0.0.0 }", /peers\[0\]\.nextHop: 0\.0\.0\.0 is no machine's address/],
    ["asn: 65100 }", "asn: 65100, nextHop: 224.0.0.5 }", /peers\[0\]\.nextHop: 224\.0\.0\.5 is no machine's address/],
    ["asn: 65100 }", 'asn: 65100, nextHop: "ff02::5" }', /peers\[0\]\.nextHop: ff02::5 is no machine's address/],
    ["service: dns", 'service: "DNS server"', /vips\[0\]\.service: .*short lower-case name/],
    ["peers: [", "drain: { time: 5s, max: 1s }\n  peers: [", /announcer\.drain\.max: is shorter than drain\.time/],
    ["peers: [ {", "peers: [ { address: 10.1.0.1, asn: 65100 }, {", /peers\[1\]\.address: this peer is listed twice/],
    ["asn: 65100 }", "asn: 65100, holdTime: 3500ms }", /peers\[0\]\.holdTime: .*whole seconds/],
    ["asn: 65100 }", "asn: 65100, localAddress: fd00::9 }", /peers\[0\]\.localAddress: .*same family/],
    ["asn: 65100 }", "asn: 65100, localAddress: 10.10.10.53 }", /peers\[0\]\.localAddress: .*is a VIP/],
    ["asn: 65100 }", "asn: 65100, nextHop: 10.10.10.53 }", /peers\[0\]\.nextHop: .*is a VIP/],
    ["http://127.0.0.1:8153", "http://localhost:8153", /check\.lease: .*no names/],
    ["http://127.0.0.1:8153", "http://10.10.10.53:8153", /check\.lease: .*is a VIP; .*another site/],
    ["service: dns", "service: all", /vips\[0\]\.service: "all" means every VIP/],
    ["peers: [", "drain: { max: 90s }\n  peers: [", /announcer\.drain\.max: .*a service waits 65s/],
    ["10.10.10.53/32", "fd00:10:10::53/128", /peers\[0\]: has no ipv6 next hop .* set nextHop/],
    ["10.1.0.1, asn", "fd00::1, asn", /peers\[0\]: has no ipv4 next hop .* set nextHop/],
    [
      "vips: [ {",
      'vips: [ { prefix: 10.10.10.53/32, service: dns2, check: { lease: "http://127.0.0.1:1" } }, {',
      /vips\[1\]\.prefix: this VIP is listed twice/,
    ],
  ])("%s -> %s is refused with a sentence", (from, to, text) => {
    expect(GOOD).toContain(from);
    expect(problems(GOOD.replace(from, to))).toMatch(text);
  });
});
