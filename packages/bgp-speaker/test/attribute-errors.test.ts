import { describe, expect, test } from "vitest";

import { decodeUpdate, type Sender } from "../src/wire/index.ts";
import { hex, INTERNAL, MODERN, toHex } from "./wire-peer.ts";

function bodyOf(attributes: string, nlri: string): Uint8Array {
  const list = hex(attributes);
  return hex(`0000 ${list.length.toString(16).padStart(4, "0")} ${toHex(list)} ${nlri}`);
}

function handlings(attributes: string, sender: Sender): string {
  const read = decodeUpdate(bodyOf(attributes, "20 0a0a0a35"), sender);
  return read.ok ? read.value.problems.map((problem) => problem.handling).join(" ") : read.error.detail;
}

describe("attribute errors (RFC 7606)", () => {
  const good = "400101 00 400206 02 01 0000fe4d 400304 0a01000a";
  const cases = [
    [
      "3(c)",
      "an ORIGIN that says it is optional",
      "c00101 00 400206 02 01 0000fe4d 400304 0a01000a",
      "treat-as-withdraw",
    ],
    [
      "3(c)",
      "a LARGE_COMMUNITY that says it is not transitive",
      `${good} 80200c ${"00".repeat(12)}`,
      "treat-as-withdraw",
    ],
    ["3(d)", "a missing ORIGIN", "400206 02 01 0000fe4d 400304 0a01000a", "treat-as-withdraw"],
    ["3(d)", "a missing AS_PATH", "400101 00 400304 0a01000a", "treat-as-withdraw"],
    ["3(d)", "a missing NEXT_HOP", "400101 00 400206 02 01 0000fe4d", "treat-as-withdraw"],
    ["3(g)", "a second ORIGIN", `${good} 400101 02`, "attribute-discard"],
    [
      "3(h)",
      "two problems: the stricter one counts",
      `${good} c00703 000000 800403 000000`,
      "attribute-discard treat-as-withdraw",
    ],
    ["4", "an attribute that runs past the list", `${good} c008ff 00`, "treat-as-withdraw"],
    ["4", "two octets at the end of the list", `${good} c008`, "treat-as-withdraw"],
    ["7.1", "an ORIGIN of 3", "400101 03 400206 02 01 0000fe4d 400304 0a01000a", "treat-as-withdraw"],
    ["7.1", "an ORIGIN of two octets", "400102 0000 400206 02 01 0000fe4d 400304 0a01000a", "treat-as-withdraw"],
    ["7.2", "an AS_PATH segment of type 5", "400101 00 400206 05 01 0000fe4d 400304 0a01000a", "treat-as-withdraw"],
    [
      "7.2",
      "an AS_PATH segment that runs past it",
      "400101 00 400206 02 02 0000fe4d 400304 0a01000a",
      "treat-as-withdraw",
    ],
    [
      "7.2",
      "one octet after the last segment",
      "400101 00 400207 02 01 0000fe4d 02 400304 0a01000a",
      "treat-as-withdraw",
    ],
    ["7.2", "a segment without AS numbers", "400101 00 400202 02 00 400304 0a01000a", "treat-as-withdraw"],
    ["RFC 7607", "AS 0 in the path", "400101 00 400206 02 01 00000000 400304 0a01000a", "treat-as-withdraw"],
    ["7.3", "a NEXT_HOP of five octets", "400101 00 400206 02 01 0000fe4d 400305 0a01000a00", "treat-as-withdraw"],
    ["7.4", "a MED of three octets", `${good} 800403 000000`, "treat-as-withdraw"],
    ["7.5", "a LOCAL_PREF of three octets from another AS", `${good} 400503 000000`, "attribute-discard"],
    ["7.5", "a LOCAL_PREF from another AS", `${good} 400504 00000064`, "attribute-discard"],
    ["7.6", "an ATOMIC_AGGREGATE of one octet", `${good} 400601 00`, "attribute-discard"],
    ["7.7", "an AGGREGATOR of the wrong size", `${good} c00703 000000`, "attribute-discard"],
    ["7.7", "an AGGREGATOR with an AS number of two octets", `${good} c00706 fde9 0a01000a`, "attribute-discard"],
    ["7.8", "communities of five octets", `${good} c00805 0000000000`, "treat-as-withdraw"],
    ["7.8", "communities without one", `${good} c00800`, "treat-as-withdraw"],
    ["7.9", "an ORIGINATOR_ID from another AS", `${good} 800904 0a01000a`, "attribute-discard"],
    ["7.10", "a CLUSTER_LIST from another AS", `${good} 800a04 0a01000a`, "attribute-discard"],
    ["7.14", "extended communities of seven octets", `${good} c01007 ${"00".repeat(7)}`, "treat-as-withdraw"],
    ["7.14", "an extended community of no known type", `${good} c01008 7fff000000000001`, ""],
    ["7.15", "IPv6 extended communities of 19 octets", `${good} c01913 ${"00".repeat(19)}`, "treat-as-withdraw"],
    ["RFC 6793", "AS4_PATH between four-octet speakers", `${good} c01106 0201 00011170`, "attribute-discard"],
    ["RFC 6793", "an AS4_AGGREGATOR of seven octets", `${good} c01207 ${"00".repeat(7)}`, "attribute-discard"],
    ["RFC 8092", "large communities of eleven octets", `${good} c0200b ${"00".repeat(11)}`, "treat-as-withdraw"],
    ["RFC 4271", "an unknown well-known attribute", `${good} 406300`, "treat-as-withdraw"],
    ["RFC 4271", "an unknown optional attribute", `${good} c0c802 0102`, ""],
  ] as const;
  const internal = [
    ["7.5", "a LOCAL_PREF of three octets", `${good} 400503 000000`, "treat-as-withdraw"],
    ["7.5", "a LOCAL_PREF", `${good} 400504 00000064`, ""],
    ["7.9", "an ORIGINATOR_ID of three octets", `${good} 800903 0a0100`, "treat-as-withdraw"],
    ["7.9", "an ORIGINATOR_ID", `${good} 800904 0a01000a`, ""],
    ["7.10", "a CLUSTER_LIST of six octets", `${good} 800a06 0a01000a0000`, "treat-as-withdraw"],
    ["7.10", "a CLUSTER_LIST without a cluster", `${good} 800a00`, "treat-as-withdraw"],
    ["7.10", "a CLUSTER_LIST of two", `${good} 800a08 0a01000a0a01000b`, ""],
  ] as const;
  const resets = [
    ["3(g)", "two MP_UNREACH_NLRI", "800f03 0002 01 800f03 0002 01", "3/1"],
    ["3(g)", "two MP_REACH_NLRI", `800e05 0001 80 00 00 800e05 0001 80 00 00`, "3/1"],
    ["5.2", "an ORIGIN of 3 and no NLRI", "400101 03 400206 02 01 0000fe4d 400304 0a01000a", "3/1"],
    ["5.2", "an MP_REACH_NLRI that runs past the list", `${good} 800eff 0002 01 10`, "3/1"],
    ["5.2", "an MP_UNREACH_NLRI that runs past the list", "800fff 0002 01", "3/1"],
    ["5.3", "IPv6 NLRI of 129 bits", `800e${"27"} 0002 01 10 ${"00".repeat(16)} 00 81 ${"00".repeat(17)}`, "3/10"],
    ["5.3", "IPv6 NLRI that runs past its attribute", `800e17 0002 01 10 ${"00".repeat(16)} 00 80 00`, "3/10"],
    ["7.11", "an MP_REACH_NLRI of four octets", "800e04 0002 01 00", "3/9"],
    ["7.11", "a next hop of five octets", "800e0a 0002 01 05 0000000000 00", "3/9"],
    ["7.12", "an MP_UNREACH_NLRI of two octets", "800f02 0002", "3/9"],
  ] as const;

  test.each(cases)("section %s: %s from another AS: %s", (_section, _name, attributes, handling) => {
    expect(handlings(attributes, MODERN)).toBe(handling);
  });

  test.each(internal)("section %s: %s within one AS", (_section, _name, attributes, handling) => {
    expect(handlings(attributes, INTERNAL)).toBe(handling);
  });

  test.each(resets)("section %s: %s resets the session", (_section, _name, attributes, code) => {
    const read = decodeUpdate(bodyOf(attributes, ""), MODERN);
    expect(read.ok ? "read" : `${read.error.code}/${read.error.subcode}`).toBe(code);
  });

  test.each([
    ["withdrawn routes of more octets than there are", "0009 0000", "3/1"],
    ["attributes of more octets than there are", "0000 0009", "3/1"],
    ["an IPv4 prefix of 33 bits", "0006 21 0a0a0a3500 0000", "3/10"],
    ["an IPv4 prefix that runs past the message", "0000 0000 20 0a0a", "3/10"],
  ])("sections 3(a) and 5.3: %s resets the session", (_name, body, code) => {
    const read = decodeUpdate(hex(body), MODERN);
    expect(read.ok ? "read" : `${read.error.code}/${read.error.subcode}`).toBe(code);
  });

  test("an IPv6 next hop of 32 octets counts by its global half (RFC 2545)", () => {
    const value = `0002 01 20 ${"fd00000000000000000000000000000a"} ${"fe800000000000000000000000000001"} 00 80 fd000010001000000000000000000053`;
    const list = hex(`400101 00 400206 02 01 0000fe4d 800e${hex(value).length.toString(16)} ${value}`);
    const read = decodeUpdate(hex(`0000 ${list.length.toString(16).padStart(4, "0")} ${toHex(list)}`), MODERN);
    expect(read.ok && read.value.attributes.mpReach?.nextHop).toBe("fd00::a");
  });
});
