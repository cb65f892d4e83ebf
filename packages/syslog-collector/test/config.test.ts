import { days, seconds } from "@stitch/clock";
import { ConfigError, SiteDocument } from "@stitch/config";
import { expect, test } from "vitest";
import { syslogConfig } from "../src/config.ts";

function read(text: string): ReturnType<typeof syslogConfig> {
  return syslogConfig(SiteDocument.parse(`site: nyc\nsyslog:\n${text}`, "site.yaml"));
}

function problems(text: string): string[] {
  try {
    read(text);
  } catch (failure) {
    if (failure instanceof ConfigError) return failure.problems.map(({ path, message }) => `${path}: ${message}`);
    throw failure;
  }
  return [];
}

test("only where to listen must be said", () => {
  expect(read('  listen: ["udp://127.0.0.1:5514"]')).toEqual({
    listen: [{ scheme: "udp", address: "127.0.0.1", port: 5514 }],
    health: { address: "127.0.0.1", port: 8514 },
    store: {
      path: "/var/lib/stitch/syslog",
      retain: { age: days(30), size: 50 * 2 ** 30, minFree: 0.05 },
      sync: seconds(1),
    },
  });
});

test.each([
  [
    '  listen: ["tls://127.0.0.1:6514"]',
    "syslog.listen[0]: tls:// is not served yet: this version takes syslog over udp:// only",
  ],
  ['  listen: ["udp://sw1:514"]', "syslog.listen[0]: "],
  ["  listen: []", "syslog.listen: "],
  ['  health: "127.0.0.1:8514"', "syslog.listen: is missing"],
  [
    '  listen: ["udp://127.0.0.1:1"]\n  store: { retian: {} }',
    'syslog.store: unknown setting "retian"; did you mean "retain"?',
  ],
  ['  listen: ["udp://127.0.0.1:1"]\n  store: { sync: 2m }', 'syslog.store.sync: "2m" is not'],
  ['  listen: ["udp://127.0.0.1:1", "udp://127.0.0.1:1"]', "syslog.listen[1]: is listed twice"],
  [
    '  listen: ["udp://127.0.0.1:1"]\n  store: { retain: { size: 1MiB } }',
    "syslog.store.retain.size: is less than 128MiB",
  ],
])("%s is refused with a sentence", (text, expected) => {
  const found = problems(text);
  expect(found).toHaveLength(1);
  expect(found[0]).toContain(expected);
});
