import { ConfigError, SiteDocument } from "@stitch/config";
import { describe, expect, test } from "vitest";
import { ntpConfig, type NtpConfig } from "../src/config.ts";

const read = (ntp: string): NtpConfig => ntpConfig(SiteDocument.parse(`site: nyc\nntp: ${ntp}\n`, "site.yaml"));

function problems(ntp: string): string {
  try {
    read(ntp);
  } catch (failure) {
    if (failure instanceof ConfigError) return failure.message;
    throw failure;
  }
  return "";
}

const LISTEN = 'listen: ["10.10.10.123", "[fd00:10:10::123]:123"]';

describe("the ntp section", () => {
  test("has a default for everything but the addresses", () => {
    expect(read(`{ ${LISTEN} }`)).toEqual({
      listen: [
        { address: "10.10.10.123", port: 123 },
        { address: "fd00:10:10::123", port: 123 },
      ],
      workers: 1,
      health: { address: "127.0.0.1", port: 8_123 },
      clock: { kind: "auto" },
      maxRootDistance: 100,
      references: [],
    });
  });

  test("takes a number of workers, and no other", () => {
    expect(read(`{ ${LISTEN}, workers: 4 }`).workers).toBe(4);
    expect(problems(`{ ${LISTEN}, workers: 65 }`)).toMatch(/ntp\.workers: 65 is not a number of workers from 1 to 64/);
  });

  test.each([
    ["auto", { kind: "auto" }],
    ["local", { kind: "local" }],
    ["chronyd", { kind: "chronyd", at: { address: "127.0.0.1", port: 323 } }],
    ['"chronyd://127.0.0.1:11323"', { kind: "chronyd", at: { address: "127.0.0.1", port: 11_323 } }],
    ['"ntp://127.0.0.1"', { kind: "ntp", at: { address: "127.0.0.1", port: 123 } }],
    ['"ntp://[::1]:11123"', { kind: "ntp", at: { address: "::1", port: 11_123 } }],
  ])("clock: %s", (text, expected) => {
    expect(read(`{ ${LISTEN}, clock: ${text} }`).clock).toEqual(expected);
  });

  test.each([
    [`{ ${LISTEN}, clock: gps }`, /ntp\.clock: "gps" is not a source of the clock's state/],
    [`{ ${LISTEN}, clock: "ntp://pool.example" }`, /ntp\.clock: .* is not a source/],
    [`{ ${LISTEN}, clock: "chronyd://10.0.0.1" }`, /ntp\.clock: .* is not on this host/],
    [`{ ${LISTEN}, clock: "ntp://10.10.10.123" }`, /ntp\.clock: .* is an address of the responder itself/],
    ["{}", /ntp\.listen: is missing/],
    ["{ listen: [] }", /ntp\.listen: .*at least one address/],
    ['{ listen: ["0.0.0.0:123"] }', /ntp\.listen\[0\]: "0\.0\.0\.0:123" is every address/],
    ['{ listen: ["[::]:123"] }', /ntp\.listen\[0\]: .* is every address/],
    ['{ listen: ["10.1.1.1", "10.1.1.1:123"] }', /ntp\.listen\[1\]: "10\.1\.1\.1:123" is listed twice/],
    [
      `{ ${LISTEN}, references: [time.example] }`,
      /ntp\.references\[0\]: "time\.example" is not an IPv4 or IPv6 address/,
    ],
    [`{ ${LISTEN}, references: [10.10.10.123] }`, /ntp\.references\[0\]: .* is an address of the responder itself/],
    [`{ ${LISTEN}, maxRootDistance: 2s }`, /ntp\.maxRootDistance: "2s" is not a duration/],
    [`{ ${LISTEN}, clok: auto }`, /ntp(\.clok)?: unknown setting "clok"; did you mean "clock"\?/],
  ])("%s is refused with where and what", (text, expected) => {
    expect(problems(text)).toMatch(expected);
  });
});
