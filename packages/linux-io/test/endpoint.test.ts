import * as fc from "fast-check";
import { isIP } from "node:net";
import { describe, expect, test } from "vitest";
import {
  ENDPOINT_BYTES,
  endpointRecord,
  formatEndpoint,
  isWildcard,
  parseIPv4,
  parseIPv6,
  readEndpoint,
  writeEndpoint,
} from "../src/index.ts";

function through(address: string, port: number): unknown {
  const record = new Uint8Array(3 * ENDPOINT_BYTES).fill(0xee);
  expect(writeEndpoint({ address, port }, record, ENDPOINT_BYTES)).toBe(true);
  const around = [...record.subarray(0, ENDPOINT_BYTES), ...record.subarray(2 * ENDPOINT_BYTES)];
  expect(around.every((byte) => byte === 0xee)).toBe(true);
  return readEndpoint(record, ENDPOINT_BYTES);
}

const port = fc.integer({ min: 0, max: 65_535 });

describe("endpoint records", () => {
  test("are made of an IP literal and a port, and of nothing else", () => {
    expect(endpointRecord({ address: "192.0.2.1", port: 53 })?.subarray(0, 8)).toEqual(
      Uint8Array.of(4, 0, 0, 53, 192, 0, 2, 1),
    );
    for (const none of [-1, 65_536, 5.5, Number.NaN]) {
      expect(endpointRecord({ address: "::1", port: none })).toBeUndefined();
    }
    expect(endpointRecord({ address: "localhost", port: 53 })).toBeUndefined();
    const zoned = endpointRecord({ address: "fe80::1%7", port: 53 }) ?? new Uint8Array(ENDPOINT_BYTES);
    expect(readEndpoint(zoned, 0)).toEqual({ address: "fe80::1%7", port: 53 });
  });

  test("a wildcard is every address, however it is written", () => {
    expect(["0.0.0.0", "::", "0:0:0:0:0:0:0:0"].map(isWildcard)).toEqual([true, true, true]);
    expect(["::1", "0.0.0.1", "1::", "fe80::1%0"].map(isWildcard)).toEqual([false, false, false, false]);
  });

  test("IPv4 endpoints come back as they were written", () => {
    fc.assert(
      fc.property(fc.ipV4(), port, (address, n) => {
        expect(through(address, n)).toEqual({ address, port: n });
      }),
    );
  });

  test("IPv6 endpoints come back in their canonical text", () => {
    fc.assert(
      fc.property(fc.ipV6(), port, (address, n) => {
        const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
        expect(through(address, n)).toEqual({ address: canonical, port: n });
      }),
    );
  });

  test("the zone of a link-local address is kept as an index", () => {
    expect(through("fe80::1%7", 53)).toEqual({ address: "fe80::1%7", port: 53 });
    expect(through("fe80::1%4294967295", 53)).toEqual({ address: "fe80::1%4294967295", port: 53 });
  });

  test("whatever is no address is refused and writes nothing", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-f:.%]{0,45}$/)), (text) => {
        const record = new Uint8Array(ENDPOINT_BYTES).fill(0xee);
        const written = writeEndpoint({ address: text, port: 1 }, record, 0);
        const literal = text.split("%")[0] ?? "";
        expect(written).toBe(isIP(literal) !== 0);
        expect(written || record.every((byte) => byte === 0xee)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  test("the empty record, a strange family and an offset beyond the end are no endpoint", () => {
    expect(readEndpoint(new Uint8Array(ENDPOINT_BYTES), 0)).toBeUndefined();
    expect(readEndpoint(new Uint8Array(ENDPOINT_BYTES).fill(9), 0)).toBeUndefined();
    expect(readEndpoint(new Uint8Array(ENDPOINT_BYTES).fill(4), 100)).toBeUndefined();
  });
});

test.each([
  ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
  ["::ffff:192.0.2.1", "::ffff:c000:201"],
  ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["::", "::"],
])("%s is written %s (RFC 5952)", (text, canonical) => {
  expect(through(text, 53)).toEqual({ address: canonical, port: 53 });
});

test.each([
  "",
  ":",
  ":::",
  "1::2::3",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7:8::",
  "12345::",
  "1.2.3.4::",
  "::1.2.3.4:5",
  "::1.2.3",
  "g::",
])("%j is no IPv6 address", (text) => {
  expect(parseIPv6(text)).toBeUndefined();
});

test.each(["", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", "0x1.2.3.4", "1..2.3"])(
  "%j is no IPv4 address",
  (text) => {
    expect(parseIPv4(text)).toBeUndefined();
  },
);

test("endpoints are written with brackets for IPv6", () => {
  expect(formatEndpoint({ address: "192.0.2.1", port: 53 })).toBe("192.0.2.1:53");
  expect(formatEndpoint({ address: "2001:db8::1", port: 53 })).toBe("[2001:db8::1]:53");
});
