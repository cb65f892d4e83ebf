import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
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

async function printed(text: string): Promise<string> {
  const file = join(directory, "site.yaml");
  writeFileSync(file, text);
  const lines: string[] = [];
  expect(await check({ file, json: false, print: (line) => void lines.push(line) })).toBe(0);
  return lines.join("\n");
}

test("a good site has no warning", async () => {
  expect(await printed(GOOD)).toMatch(/^[^\n]*site\.yaml: site nyc, instance .*: good$/);
});

test.each(["127.0.0.1:8443", "10.1.0.10:8443"])(
  "a remote control by TLS, or on loopback, has none: %s",
  async (listen) => {
    const tls = listen.startsWith("127.") ? "" : ", tls: { cert: a.pem, key: a.key }";
    const remote = `  remote: { listen: "${listen}", token: "file:token"${tls} }\n  peers:`;
    expect(await printed(GOOD.replace("  peers:", remote))).not.toContain("token travels");
  },
);

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
    "  peers:",
    '  remote: { listen: "10.1.0.10:8443", token: "file:token" }\n  peers:',
    /the token travels to 10\.1\.0\.10:8443 as it is, and who reads it may drain; set announcer\.remote\.tls/,
  ],
  [
    "asn: 65100 }",
    "asn: 65100, holdTime: 90s }",
    /hold time 90s with 10\.1\.0\.1: a frozen host keeps its route that long/,
  ],
  ["peers:", "drain: { time: 100ms, max: 1s }\n  peers:", /drain\.time: 100ms is less than routers need/],
  [
    "asn: 65100 }",
    "asn: 65100, advertisementInterval: 30s }",
    /drain\.time: 5s is over before 10\.1\.0\.1 tells its neighbours, which may take 30s/,
  ],
  ["asn: 65100 }", "asn: 65100, password: s3cret }", /the password of 10\.1\.0\.1 stands in this file/],
  [
    'check: { lease: "http://127.0.0.1:8514" }',
    'check: { all: [ { lease: "http://127.0.0.1:8514" }, { dns: 10.0.0.2 } ] }',
    /"syslog" is judged by 10\.0\.0\.2, which is not this machine: .* withdraws the VIP everywhere/,
  ],
  [
    'health: "127.0.0.1:8514"',
    'health: "127.0.0.1:8153"',
    /dns\.health and syslog\.health both want tcp 127\.0\.0\.1:8153: on one machine the second does not start/,
  ],
  [
    'listen: ["10.10.10.53:53"]',
    'listen: ["10.10.10.53:53", "10.10.10.54:53"]',
    /dns\.listen: 10\.10\.10\.54 is neither a VIP nor known as this machine's own/,
  ],
  [
    'listen: ["udp://10.10.5.14:514"]',
    'listen: ["udp://10.10.5.14:514", "udp://0.0.0.0:53"]',
    /dns\.listen and syslog\.listen both want udp 10\.10\.10\.53:53/,
  ],
  [
    "asn: 65101",
    'asn: 65101\n  health: "127.0.0.1:8514"',
    /syslog\.health and announcer\.health both want tcp 127\.0\.0\.1:8514/,
  ],
  ["service: dns,", "service: ntp,", /"ntp" is announced, but this file has no section ntp/],
])("%s -> %s draws a warning", async (from, to, text) => {
  expect(GOOD).toContain(from);
  expect(await printed(GOOD.replace(from, to))).toMatch(text);
});

test.each([
  ["one part of any that stays here", '{ any: [ { tcp: "127.0.0.1:1" }, { dns: 10.0.0.2 } ] }'],
  ["this machine's own address", "{ dns: 10.1.0.10 }"],
  ["the VIP itself", "{ dns: 10.10.10.53 }"],
  ["a command", "{ exec: [/bin/true] }"],
])("a check of %s shares no fate with other sites", async (_name, how) => {
  expect(await printed(GOOD.replace('{ lease: "http://127.0.0.1:8153" }', how))).not.toMatch(/is judged by/);
});

test.each([
  ["the machine's own address", '"10.1.0.10:53"'],
  ["loopback", '"127.0.0.1:53"'],
  ["a port of another protocol", '"10.10.10.53:514"'],
])("a further door at %s draws no warning", async (_name, door) => {
  const text = GOOD.replace('listen: ["10.10.10.53:53"]', `listen: ["10.10.10.53:53", ${door}]`);
  expect(await printed(text)).not.toMatch(/warning/);
});

describe("the files that a site names", () => {
  const zone = GOOD.replace("  health", "  local: { zones: [corp.zone] }\n  health");
  const secret = GOOD.replace("asn: 65100 }", 'asn: 65100, password: "file:bgp" }');

  test.each([
    ["a zone", zone, /^warning: .*corp\.zone: no such file: dns does not start without it$/m],
    [
      "a list of a policy",
      GOOD.replace("  health", "  policies: [ { file: bad.rpz, kind: rpz } ]\n  health"),
      /^warning: .*bad\.rpz: no such file: dns does not start without it$/m,
    ],
    [
      "a password",
      secret,
      /^warning: .*site\.yaml:\d+: announcer\.peers\[0\]\.password: .*bgp: no such file; the announcer does not start so$/m,
    ],
    [
      "a token",
      GOOD.replace("  peers:", '  remote: { listen: "127.0.0.1:8443", token: "file:token" }\n  peers:'),
      /^warning: .*announcer\.remote\.token: .*token: no such file; the announcer does not start so$/m,
    ],
  ])("%s that is not here draws a warning", async (_what, text, warning) => {
    expect(await printed(text)).toMatch(warning);
  });

  test("those that are here and good draw none", async () => {
    writeFileSync(join(directory, "corp.zone"), "$ORIGIN corp.example.\n$TTL 60\n@ SOA ns root 1 2 3 4 5\n");
    writeFileSync(join(directory, "bgp"), "a-password\n");
    expect(await printed(zone)).not.toMatch(/warning/);
    expect(await printed(secret)).not.toMatch(/warning/);
  });

  test("a zone that is here and broken is an error, with its line", async () => {
    writeFileSync(join(directory, "corp.zone"), "$ORIGIN corp.example.\n@ SOAP ns root 1 2 3 4 5\n");
    await expect(printed(zone)).rejects.toThrow(/corp\.zone:2: /);
  });
});

test("a long hold time with BFD draws no warning", async () => {
  expect(await printed(GOOD.replace("asn: 65100 }", "asn: 65100, holdTime: 90s, bfd: {} }"))).not.toMatch(/frozen/);
});

describe("where the announcer runs", () => {
  const SILENT = { state: "Active" };
  const UP = { state: "Established" };

  test("what it has found is printed too", async () => {
    const status = {
      vips: [
        { prefix: "10.10.10.53/32", service: "dns", addressMissing: true },
        { prefix: "10.10.5.14/32", service: "syslog", addressMissing: false },
      ],
      peers: [
        { address: "10.1.0.1", session: SILENT, advice: "no answer to the connection request" },
        { address: "10.1.0.2", session: SILENT, advice: "" },
        { address: "10.1.0.3", session: UP, advice: "", bfd: { detectionTime: 150, precedence: "realtime" } },
        { address: "10.1.0.4", session: UP, advice: "", bfd: { detectionTime: 150, precedence: "nice" } },
        { address: "10.1.0.5", session: UP, advice: "", bfd: { detectionTime: 900, precedence: "none" } },
        { address: "10.1.0.6", session: UP, advice: "", bfd: { precedence: "none" } },
      ],
      alarms: [{ code: "no-traffic", subject: "10.10.5.14/32", detail: "no client has come" }],
    };
    const control = join(directory, "announcer.sock");
    const server = createServer((_request, response) => void response.end(JSON.stringify(status)));
    await new Promise<void>((resolve) => void server.listen(control, resolve));
    const text = await printed(GOOD.replace("asn: 65101", `asn: 65101\n  control: ${control}`));
    server.close();
    expect(text.split("\n").slice(0, -1)).toEqual([
      expect.stringMatching(
        /^found: 10\.10\.10\.53 \(dns\) is not an address of this machine.*ip address add 10\.10\.10\.53\/32 dev lo/,
      ),
      "found: peer 10.1.0.1 is Active: no answer to the connection request",
      "found: peer 10.1.0.2 is Active",
      expect.stringMatching(
        /^found: BFD with 10\.1\.0\.4 notices silence within 150 ms, .* give the announcer CAP_SYS_NICE$/,
      ),
      "found: alarm no-traffic (10.10.5.14/32): no client has come",
    ]);
  });
});
