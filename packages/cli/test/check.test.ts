import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { check } from "../src/command/check.ts";

const GOOD = `site: nyc
dns:
  listen: ["10.10.10.53:53"]
  health: "127.0.0.1:8153"
syslog:
  listen: ["udp://10.10.5.14:514"]
  health: "127.0.0.1:8514"
  store: { path: /var/lib/stitch/syslog }
announcer:
  asn: 65101
  routerId: 10.1.0.10
  peers: [ { address: 10.1.0.1, asn: 65100 } ]
  vips:
    - { prefix: 10.10.10.53/32, service: dns, check: { lease: "http://127.0.0.1:8153" } }
    - { prefix: 10.10.5.14/32, service: syslog, check: { lease: "http://127.0.0.1:8514" } }
`;

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "stitch-check-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

function printed(text: string): string {
  const file = join(directory, "site.yaml");
  writeFileSync(file, text);
  const lines: string[] = [];
  expect(check({ file, json: false, print: (line) => void lines.push(line) })).toBe(0);
  return lines.join("\n");
}

test("a good site has no warning", () => {
  expect(printed(GOOD)).toMatch(/^[^\n]*site\.yaml: site nyc, instance .*: good$/);
});

test.each([
  [
    'lease: "http://127.0.0.1:8514"',
    'lease: "http://127.0.0.1:8153"',
    /"syslog" takes its lease from 127\.0\.0\.1:8153, but syslog\.health is 127\.0\.0\.1:8514/,
  ],
  [
    "prefix: 10.10.5.14/32",
    "prefix: 10.10.5.15/32",
    /10\.10\.5\.15 is announced for syslog, but syslog\.listen has no such address/,
  ],
  [
    "asn: 65100 }",
    "asn: 65100, holdTime: 90s }",
    /hold time 90s with 10\.1\.0\.1: a frozen host keeps its route that long/,
  ],
  ["peers:", "drain: { time: 100ms, max: 1s }\n  peers:", /drain\.time: 100ms is less than routers need/],
  ["service: dns,", "service: ntp,", /"ntp" is announced, but this file has no section ntp/],
])("%s -> %s draws a warning", (from, to, text) => {
  expect(GOOD).toContain(from);
  expect(printed(GOOD.replace(from, to))).toMatch(text);
});
