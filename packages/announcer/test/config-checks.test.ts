import { ConfigError, SiteDocument } from "@stitch/config";
import { describe, expect, test } from "vitest";
import { announcerConfig } from "../src/config.ts";
import type { CheckConfig } from "../src/config/checks.ts";
import { describeCheck, leasesIn } from "../src/check/describe.ts";

function checkOf(check: string): CheckConfig | undefined {
  const text = `site: nyc
announcer:
  asn: 65101
  routerId: 10.1.0.10
  peers: [ { address: 10.1.0.1, asn: 65100 } ]
  vips: [ { prefix: 10.10.10.53/32, service: dns, check: ${check} } ]
`;
  return announcerConfig(SiteDocument.parse(text, "site.yaml")).vips[0]?.check;
}

function problems(check: string): string {
  try {
    checkOf(check);
    return "";
  } catch (failure) {
    if (!(failure instanceof ConfigError)) throw failure;
    return failure.message;
  }
}

const PACE = { interval: 1_000, fastInterval: 250, timeout: 1_000, jitter: 0.1 };

describe("a check", () => {
  test.each<[string, object, string]>([
    ['{ lease: "http://127.0.0.1:8153" }', { kind: "lease", timeout: 500 }, "lease http://127.0.0.1:8153/health/lease"],
    [
      '{ http: "http://127.0.0.1:9000/health", status: 200, verdict: /status, load: /gpu/utilization, fullLoad: 100 }',
      { kind: "http", status: 200, verdict: ["status"], load: ["gpu", "utilization"], fullLoad: 100, pace: PACE },
      "http http://127.0.0.1:9000/health",
    ],
    [
      '{ tcp: "127.0.0.1:8080", interval: 5s, timeout: 2s, jitter: 0% }',
      { kind: "tcp", pace: { interval: 5_000, fastInterval: 250, timeout: 2_000, jitter: 0 } },
      "tcp 127.0.0.1 port 8080",
    ],
    ['{ dns: "10.10.10.53" }', { kind: "dns", name: ".", type: "NS", target: { port: 53 } }, "dns 10.10.10.53 port 53"],
    [
      '{ dns: "[fd00::1]:5353", name: a.example, type: AAAA }',
      { name: "a.example", type: "AAAA" },
      "dns fd00::1 port 5353",
    ],
    ['{ ntp: "127.0.0.1", interval: 200ms }', { kind: "ntp", pace: { fastInterval: 200 } }, "ntp 127.0.0.1 port 123"],
    [
      '{ syslog: "127.0.0.1", readBack: "http://127.0.0.1:8514/metrics" }',
      { kind: "syslog", counter: "stitch_syslog_datagrams_total" },
      "syslog 127.0.0.1 port 514",
    ],
    ["{ exec: [/bin/check, -v], degradedExit: 1 }", { kind: "exec", command: ["/bin/check", "-v"] }, "exec /bin/check"],
    [
      '{ all: [ { lease: "http://127.0.0.1:8153" }, { any: [ { tcp: "127.0.0.1:1" }, { ntp: "127.0.0.1" } ] } ] }',
      { kind: "all", parts: [{ kind: "lease" }, { kind: "any", parts: [{ kind: "tcp" }, { kind: "ntp" }] }] },
      "all of (lease http://127.0.0.1:8153/health/lease, any of (tcp 127.0.0.1 port 1, ntp 127.0.0.1 port 123))",
    ],
  ])("%s", (text, expected, words) => {
    const check = checkOf(text);
    expect(check).toMatchObject(expected);
    expect(check && describeCheck(check)).toBe(words);
  });

  test("knows the leases within combinations", () => {
    const check = checkOf('{ any: [ { lease: "http://127.0.0.1:1" }, { lease: "http://127.0.0.1:2" } ] }');
    expect(check && leasesIn(check).map(({ port }) => port)).toEqual(["1", "2"]);
  });

  test.each<[string, RegExp]>([
    ["{}", /vips\[0\]\.check: needs exactly one of lease, http, tcp, dns, ntp, syslog, exec, all, any/],
    ['{ tcp: "127.0.0.1:1", ntp: "127.0.0.1" }', /vips\[0\]\.check: needs exactly one of .*; here are tcp, ntp/],
    ['{ htpp: "http://127.0.0.1:1" }', /vips\[0\]\.check: unknown setting "htpp"; did you mean "http"\?/],
    ['{ all: [ { tpc: "127.0.0.1:1" } ] }', /check\.all\[0\]: unknown setting "tpc"; did you mean "tcp"\?/],
    ['{ tcp: "127.0.0.1:1", status: 200 }', /check\.status: does not go with a check of the kind "tcp"/],
    ['{ lease: "http://127.0.0.1:1", interval: 1s }', /check\.interval: does not go with .* "lease"/],
    ['{ all: [ { tcp: "127.0.0.1:1" } ], timeout: 1s }', /check\.timeout: does not go with .* "all"/],
    ['{ http: "http://gpu.example/health" }', /check\.http: .*no names/],
    ['{ http: "https://127.0.0.1/health" }', /check\.http: .* is not a URL/],
    ['{ tcp: "localhost:80" }', /check\.tcp: .*no names/],
    ['{ dns: "127.0.0.1", name: "a..b" }', /check\.name: .*is not a domain name/],
    ['{ dns: "127.0.0.1", type: ANY }', /check\.type: /],
    ['{ http: "http://127.0.0.1/", load: gpu }', /check\.load: .* is not a JSON pointer/],
    ['{ tcp: "127.0.0.1:1", interval: 1s, fastInterval: 2s }', /check\.fastInterval: is longer than interval/],
    ['{ syslog: "127.0.0.1" }', /check\.readBack: is missing: .*proves nothing/],
    ['{ syslog: "127.0.0.1", readBack: "http://logs.example/" }', /check\.readBack: .* is not a URL/],
    [
      '{ syslog: "127.0.0.1", readBack: "http://127.0.0.1/?q={token}", counter: x }',
      /check\.counter: does not go with/,
    ],
    ["{ exec: [check] }", /check\.exec: must begin with an absolute path/],
    ["{ exec: [] }", /check\.exec: /],
    ["{ any: [] }", /check\.any: /],
    ['{ any: [ { any: [ { any: [ { tcp: "127.0.0.1:1" } ] } ] } ] }', /any\[0\]\.any\[0\]: unknown setting "any"/],
    ['{ any: [ { lease: "http://10.10.10.53:8153" } ] }', /check: 10\.10\.10\.53 is a VIP; .*another site/],
  ])("%s is refused with a sentence", (check, text) => {
    expect(problems(check)).toMatch(text);
  });
});
