import { describe, expect, test } from "vitest";

import { encodeMessage } from "../src/wire/index.ts";
import { Bench, hex, toHex } from "./wire-peer.ts";

// RFC 7606 from the session's side: a bad attribute costs the route that it came with, and never the session.

const VIP = { family: "ipv4", address: "10.10.10.53", length: 32 } as const;
const ORIGIN = "400101 00";
const PATH = "400206 02 01 0000fde9";
const NEXT_HOP = "400304 0a010001";
const BASE = `${ORIGIN} ${PATH} ${NEXT_HOP}`;

const COSTLY = [
  ["an ORIGIN of 3", `400101 03 ${PATH} ${NEXT_HOP}`],
  ["a missing AS_PATH", `${ORIGIN} ${NEXT_HOP}`],
  ["an AS_PATH segment that runs past it", `${ORIGIN} 400206 02 02 0000fde9 ${NEXT_HOP}`],
  ["a NEXT_HOP of sixteen octets", `${ORIGIN} ${PATH} 400310 ${"00".repeat(16)}`],
  ["a MED of five octets", `${BASE} 800405 0000000000`],
  ["communities of six octets", `${BASE} c00806 000000000000`],
  ["extended communities of nine octets", `${BASE} c01009 ${"00".repeat(9)}`],
  ["large communities of thirteen octets", `${BASE} c0200d ${"00".repeat(13)}`],
  ["a MED that calls itself transitive", `${BASE} c00404 00000000`],
  ["an attribute longer than the list", `${BASE} c008ff 00000001`],
  ["three octets left for an attribute of extended length", `${BASE} d00800`],
] as const;

const HARMLESS = [
  ["LOCAL_PREF from another AS", `${BASE} 400504 00000064`],
  ["an ATOMIC_AGGREGATE of one octet", `${BASE} 400601 00`],
  ["communities twice", `${BASE} c00804 00000001 c00804 00000002`],
  ["communities with the partial bit", `${BASE} e00804 00000001`],
] as const;

function update(attributes: string): Uint8Array {
  const list = hex(attributes);
  return encodeMessage("update", hex(`0000 ${list.length.toString(16).padStart(4, "0")} ${toHex(list)} 20 0a0a0a35`));
}

/** A session that has heard of the VIP, and then once more with these attributes. */
function told(attributes: string): Bench {
  const bench = new Bench({}, { watch: [VIP] });
  bench.toEstablished();
  bench.router.say(update(BASE));
  bench.settle();
  bench.router.say(update(attributes));
  bench.settle();
  return bench;
}

describe("a route that is announced again with", () => {
  test.each(COSTLY)("%s is withdrawn, and the session lives", (_name, attributes) => {
    const bench = told(attributes);
    expect(bench.of("path").map(({ path }) => path !== undefined)).toEqual([true, false]);
    expect(bench.session.state).toBe("Established");
    expect(bench.session.status.ignored["treat-as-withdraw"]).toBeGreaterThan(0);
  });

  test.each(HARMLESS)("%s stands, and the session lives", (_name, attributes) => {
    const bench = told(attributes);
    expect(bench.session.paths).toHaveLength(1);
    expect(bench.session.state).toBe("Established");
    expect(bench.session.status.ignored["treat-as-withdraw"]).toBe(0);
  });
});
