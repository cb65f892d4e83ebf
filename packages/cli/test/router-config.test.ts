import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { routerConfig } from "../src/command/router-config.ts";
import { VENDORS, type Vendor } from "../src/router-config/vendors.ts";
import { UsageError } from "../src/usage.ts";

const SITE = `site: nyc
instance: nyc-1
announcer:
  asn: 65101
  routerId: 10.1.0.10
  peers:
    - { address: 10.1.0.1, asn: 65100, localAddress: 10.1.0.10, nextHop: "fd00:1::10" }
    - { address: 10.1.0.2, asn: 65101, holdTime: 90s, nextHop: "fd00:1::10" }
  vips:
    - { prefix: 10.10.10.53/32, service: dns, check: { lease: "http://127.0.0.1:8153" } }
    - { prefix: "fd00:10:10::53/128", service: dns, check: { lease: "http://127.0.0.1:8153" } }
`;
const WITH_LOAD = SITE.replace(
  "  vips:\n",
  '  vips:\n    - { prefix: 10.10.20.1/32, service: gpu, check: { all: [ { http: "http://127.0.0.1:9000/health", load: /gpu } ] } }\n',
);

const vendors = Object.keys(VENDORS) as Vendor[];
const golden = join(import.meta.dirname, "router-config");
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "stitch-router-config-"));
});

afterAll(() => rmSync(directory, { recursive: true }));

function printed(vendor: string, peer: string | undefined, site = SITE, json = false): string {
  const file = join(directory, "site.yaml");
  writeFileSync(file, site);
  let text = "";
  expect(routerConfig({ file, json, print: (line) => void (text += `${line}\n`) }, { vendor, peer })).toBe(0);
  return text;
}

describe("what a router is told", () => {
  test("there is one expected text for each vendor", () => {
    expect(readdirSync(golden).toSorted()).toEqual(vendors.map((vendor) => `${vendor}.txt`).toSorted());
  });

  test.each(vendors)("%s: the whole stanza is as expected", (vendor) => {
    expect(printed(vendor, "10.1.0.1")).toBe(readFileSync(join(golden, `${vendor}.txt`), "utf8"));
  });

  test.each(vendors)(
    "%s: load steps are mapped to LOCAL_PREF, below the last resort's rule, only where a check names load",
    (vendor) => {
      const text = printed(vendor, "10.1.0.1", WITH_LOAD).replaceAll(", ", ":");
      const order = [/65101:2:0/, /65101:2:9/].map((step) => text.search(step));
      expect(text.search(/65535:0/)).toBeLessThan(order[0] ?? -1);
      expect(order[0]).toBeLessThan(order[1] ?? -1);
      expect(text).toMatch(/local.pref(erence)?[ =]*91\b/);
      expect(printed(vendor, "10.1.0.1")).not.toMatch(/65101(:|, )2\1/);
    },
  );

  test.each(vendors)("%s: an internal peer reflects, and an assumed source is said to be one", (vendor) => {
    const text = printed(vendor, "10.1.0.2");
    expect(text).toMatch(/10\.1\.0\.10 is assumed/);
    expect(text).toMatch(/route-reflector-client|rr client;|cluster 10\.1\.0\.2/);
    expect(text).toMatch(vendor === "bird" ? /hold time 90;/ : /\b90\b/);
    expect(printed(vendor, "10.1.0.1")).not.toMatch(/route-reflector-client|rr client;|cluster|assumed/);
  });

  test.each(vendors)(
    "%s: BFD, a password that is not printed, and GTSM or multihop are asked for where the file has them",
    (vendor) => {
      const settings = "asn: 65100, bfd: { interval: 50ms }, password: s3cret, ttlSecurity: 1,";
      const text = printed(vendor, "10.1.0.1", SITE.replace("asn: 65100,", settings));
      expect(text).toMatch(/THE-PASSWORD/);
      expect(text).not.toContain("s3cret");
      expect(text).toMatch(/bfd/);
      expect(text).toMatch(/\b50\b/);
      expect(text).toMatch(/ttl-security hops 1|ttl security on|ttl maximum-hops 1|TTLs below 255/);
      const far = printed(vendor, "10.1.0.1", SITE.replace("asn: 65100,", "asn: 65100, multihop: 3,"));
      expect(far).toMatch(/multihop (ttl )?3/);
      expect(printed(vendor, "10.1.0.1")).not.toMatch(/bfd|THE-PASSWORD|ttl|multihop/i);
    },
  );

  test("all routers of the file are printed without --peer, and --json keeps them apart", () => {
    expect(printed("frr", undefined).match(/^router bgp/gm)).toHaveLength(2);
    expect(JSON.parse(printed("frr", undefined, SITE, true))).toMatchObject([
      { peer: "10.1.0.1", vendor: "frr" },
      { peer: "10.1.0.2", vendor: "frr" },
    ]);
  });

  test.each([
    ["cisco", "10.1.0.1", SITE, /--vendor frr\|bird\|eos\|ios-xe\|nx-os\|junos/],
    ["frr", "10.1.0.9", SITE, /has no 10\.1\.0\.9; there are 10\.1\.0\.1, 10\.1\.0\.2/],
    ["frr", undefined, SITE.replaceAll(/peers:\n(.*\n){2}/g, "kernel: {}\n"), /announcer\.peers names no router/],
    [
      "frr",
      undefined,
      SITE.replace(/peers:\n(.*\n){2}/, 'peers: [ { address: "fd00:1::1", asn: 65100, nextHop: 10.1.0.10 } ]\n'),
      /fd00:1::1 is spoken to is not said; set localAddress/,
    ],
  ])("%s for %s is refused with a sentence", (vendor, peer, site, text) => {
    expect(() => printed(vendor, peer, site)).toThrow(UsageError);
    expect(() => printed(vendor, peer, site)).toThrow(text);
  });
});
