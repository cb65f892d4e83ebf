import { days, formatDuration, hours, milliseconds, minutes, seconds, type Duration } from "@stitch/clock";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { z } from "zod";
import {
  asNumber,
  byteSize,
  duration,
  hostPort,
  ipAddress,
  listenUrl,
  percent,
  prefix,
  routerId,
} from "../src/index.ts";

function read<T>(schema: z.ZodType<T>, input: unknown): T | string {
  const result = schema.safeParse(input);
  return result.success ? result.data : (result.error.issues[0]?.message ?? "");
}

const NOT_A_DURATION = "is not a duration such as 300ms, 9s, 15m, 24h or 1d";
const NOT_A_PREFIX = "is not a prefix such as 10.10.10.53/32 or fd00:10:10::/64, with no bits set behind its length";
const NOT_AN_AS = "is not an autonomous system number from 1 to 4294967294 (23456 and 65535 are reserved)";

describe("duration", () => {
  test.each<[unknown, Duration]>([
    ["300ms", milliseconds(300)],
    ["9s", seconds(9)],
    ["0.5s", milliseconds(500)],
    ["15m", minutes(15)],
    ["24h", hours(24)],
    ["1d", days(1)],
    ["0s", seconds(0)],
  ])("reads %j", (input, expected) => {
    expect(read(duration(), input)).toBe(expected);
  });

  test.each<[unknown, string]>([
    [300, `300 ${NOT_A_DURATION}`],
    ["", `"" ${NOT_A_DURATION}`],
    ["9 s", `"9 s" ${NOT_A_DURATION}`],
    ["-9s", `"-9s" ${NOT_A_DURATION}`],
    ["1w", `"1w" ${NOT_A_DURATION}`],
    ["1e3s", `"1e3s" ${NOT_A_DURATION}`],
    [null, `null ${NOT_A_DURATION}`],
    [["9s"], `["9s"] ${NOT_A_DURATION}`],
    [Number.NaN, `NaN ${NOT_A_DURATION}`],
    [undefined, "is missing: a duration such as 300ms, 9s, 15m, 24h or 1d"],
  ])("refuses %j", (input, text) => {
    expect(read(duration(), input)).toBe(text);
  });

  test("out of bounds is refused with the bounds", () => {
    const holdTime = duration({ min: seconds(3), max: seconds(90) });
    expect(read(holdTime, "3s")).toBe(3_000);
    expect(read(holdTime, "90s")).toBe(90_000);
    expect(read(holdTime, "1s")).toBe(`"1s" ${NOT_A_DURATION}, from 3s to 90s`);
    expect(read(duration({ min: seconds(3) }), "1s")).toBe(`"1s" ${NOT_A_DURATION}, at least 3s`);
    expect(read(duration({ max: minutes(1) }), "2m")).toBe(`"2m" ${NOT_A_DURATION}, at most 1m`);
  });

  test("whatever formatDuration writes is read back as the same duration", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 * 365 * 86_400_000 }), (n) => {
        expect(read(duration(), formatDuration(milliseconds(n)))).toBe(n);
      }),
    );
  });
});

describe("byteSize and percent", () => {
  test.each<[unknown, number]>([
    ["0B", 0],
    ["1B", 1],
    ["512KiB", 524_288],
    ["256MiB", 268_435_456],
    ["1.5GiB", 1_610_612_736],
    ["2TiB", 2_199_023_255_552],
  ])("reads the size %j", (input, expected) => {
    expect(read(byteSize(), input)).toBe(expected);
  });

  test.each<unknown>(["256MB", "256mib", "1 GiB", 4096, "999999999TiB", "-1B", true])(
    "refuses the size %j",
    (input) => {
      expect(read(byteSize(), input)).toBe(`${JSON.stringify(input)} is not a size such as 512KiB, 256MiB or 50GiB`);
    },
  );

  test("reads shares from 0% to 100%", () => {
    expect(read(percent(), "5%")).toBe(0.05);
    expect(read(percent(), "0%")).toBe(0);
    expect(read(percent(), "100%")).toBe(1);
    expect(read(percent(), "101%")).toBe('"101%" is not a share such as 5%');
    expect(read(percent(), 5)).toBe("5 is not a share such as 5%");
  });
});

describe("addresses", () => {
  test("equal addresses become equal strings", () => {
    expect(read(ipAddress(), "FD00:0010:10::0053")).toBe("fd00:10:10::53");
    expect(read(hostPort(), "[FD00::01]:53")).toEqual({ address: "fd00::1", port: 53 });
    expect(read(prefix(), "FD00:10:10:0:0:0:0:53/128")).toEqual({
      family: "ipv6",
      address: "fd00:10:10::53",
      length: 128,
    });
  });

  test("a link-local address keeps its zone", () => {
    expect(read(hostPort(), "[fe80::1%eth0]:53")).toEqual({ address: "fe80::1%eth0", port: 53 });
  });

  test.each(["10.0.0.256", "010.0.0.1", "ns1.example", "", "1.2.3", "::1::"])("%j is no address", (input) => {
    expect(read(ipAddress(), input)).toBe(`${JSON.stringify(input)} is not an IPv4 or IPv6 address`);
  });

  test("a default port is used only when none is written", () => {
    expect(read(hostPort(53), "10.0.0.2")).toEqual({ address: "10.0.0.2", port: 53 });
    expect(read(hostPort(53), "fd00::1")).toEqual({ address: "fd00::1", port: 53 });
    expect(read(hostPort(53), "10.0.0.2:5353")).toEqual({ address: "10.0.0.2", port: 5353 });
  });

  test.each(["10.0.0.1", "fd00::1:53", "[10.0.0.1]:53", "localhost:53", "10.0.0.1:65536", "10.0.0.1:", "[]:53"])(
    "%j is no address and port",
    (input) => {
      expect(read(hostPort(), input)).toBe(
        `${JSON.stringify(input)} is not an address and port such as 10.0.0.1:8053 or [fd00::1]:8053 (no names: DNS may be what is down)`,
      );
    },
  );

  test("listen URLs take only the schemes of the service", () => {
    const listen = listenUrl(["udp", "tcp"]);
    expect(read(listen, "udp://10.10.5.14:514")).toEqual({ scheme: "udp", address: "10.10.5.14", port: 514 });
    expect(read(listen, "tcp://[::1]:601")).toEqual({ scheme: "tcp", address: "::1", port: 601 });
    for (const bad of ["tls://10.10.5.14:6514", "udp://10.10.5.14", "10.10.5.14:514", "udp://host:514"]) {
      expect(read(listen, bad)).toBe(
        `${JSON.stringify(bad)} is not an address such as udp://10.10.5.14:514 or tcp://10.10.5.14:514`,
      );
    }
  });
});

describe("prefix", () => {
  test.each<[string, string, number]>([
    ["10.10.10.53/32", "10.10.10.53", 32],
    ["10.10.10.53", "10.10.10.53", 32],
    ["10.0.0.0/8", "10.0.0.0", 8],
    ["0.0.0.0/0", "0.0.0.0", 0],
    ["fd00::/8", "fd00::", 8],
    ["::/0", "::", 0],
  ])("reads %s", (input, address, length) => {
    expect(read(prefix(), input)).toMatchObject({ address, length });
  });

  test.each([
    "10.10.10.53/24",
    "10.0.0.0/33",
    "10.0.0.0/",
    "10.0.0.0/08",
    "fd00::1/64",
    "fe80::%eth0/64",
    "10.0.0.0/8/8",
    "x/8",
  ])("refuses %s", (input) => {
    expect(read(prefix(), input)).toBe(`${JSON.stringify(input)} ${NOT_A_PREFIX}`);
  });

  test("an IPv4 block is accepted exactly when the bits behind its length are zero", () => {
    fc.assert(
      fc.property(fc.nat(0xffff_ffff), fc.integer({ min: 0, max: 32 }), (bits, length) => {
        const text = `${[24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join(".")}/${length}`;
        const hostBits = length === 32 ? 0 : length === 0 ? bits : bits & (0xffff_ffff >>> length);
        expect(typeof read(prefix(), text) === "object").toBe(hostBits === 0);
      }),
    );
  });
});

describe("identifiers of BGP", () => {
  test("AS numbers", () => {
    expect(read(asNumber(), 65_101)).toBe(65_101);
    expect(read(asNumber(), 4_200_000_000)).toBe(4_200_000_000);
    for (const bad of [0, 23_456, 65_535, 4_294_967_295, 1.1, -1])
      expect(read(asNumber(), bad)).toBe(`${bad} ${NOT_AN_AS}`);
    expect(read(asNumber(), "65101")).toBe(`"65101" ${NOT_AN_AS}`);
  });

  test("router ids", () => {
    expect(read(routerId(), "10.1.0.10")).toBe("10.1.0.10");
    for (const bad of ["0.0.0.0", "::1", "r1"]) {
      expect(read(routerId(), bad)).toBe(
        `${JSON.stringify(bad)} is not an IPv4 address that is this machine's own, never a VIP`,
      );
    }
  });
});

test("no notation throws, whatever the value", () => {
  const schemas = [
    duration(),
    byteSize(),
    percent(),
    ipAddress(),
    prefix(),
    hostPort(),
    hostPort(53),
    listenUrl(["udp"]),
    asNumber(),
    routerId(),
  ];
  fc.assert(
    fc.property(fc.anything({ withBigInt: true }), fc.constantFrom(...schemas), (input, schema) => {
      expect(typeof schema.safeParse(input).success).toBe("boolean");
    }),
  );
  fc.assert(
    fc.property(
      fc.stringMatching(/^[0-9a-fA-F.:/[\]%msdhKMGTiB]{0,40}$/),
      fc.constantFrom(...schemas),
      (input, schema) => {
        expect(typeof schema.safeParse(input).success).toBe("boolean");
      },
    ),
  );
});
