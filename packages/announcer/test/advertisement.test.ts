import { describe, expect, test } from "vitest";
import { advertisementFor, isOurs, originOf } from "../src/route/advertisement.ts";

const prefix = { family: "ipv4", address: "10.10.10.53", length: 32 } as const;
const origin = originOf(65_101, "nyc", "nyc-1");

const sibling = originOf(65_101, "nyc", "nyc-2").instance;

describe("what the router hears", () => {
  test("normal is the prefix with nothing but our mark", () => {
    expect(advertisementFor(prefix, "normal", origin)).toEqual({ prefix, largeCommunities: [origin.instance] });
  });

  test("last resort carries GRACEFUL_SHUTDOWN, three more of our AS the highest usable MED and, for routers of our own AS, LOCAL_PREF 0", () => {
    expect(advertisementFor(prefix, "last-resort", origin)).toEqual({
      prefix,
      largeCommunities: [origin.instance],
      communities: [0xffff_0000],
      prepend: 3,
      med: 4_294_967_294,
      localPref: 0,
    });
  });

  test("none is no advertisement", () => {
    expect(advertisementFor(prefix, "none", origin)).toBeUndefined();
  });

  test("the mark is ASN:1:INSTANCE, stable for a name and different between instances", () => {
    expect(origin.instance).toMatchObject({ global: 65_101, local1: 1 });
    expect(originOf(65_101, "nyc", "nyc-1").instance).toEqual(origin.instance);
    const others = ["nyc-2", "nyc-10", "lon-1"].map((instance) => originOf(65_101, "nyc", instance).instance.local2);
    expect(new Set([origin.instance.local2, ...others]).size).toBe(4);
  });

  test.each([
    ["our own mark", true, [65_001, 65_102], [origin.instance]],
    ["our mark beside a sibling's", true, [65_001, 65_101], [sibling, origin.instance]],
    ["a sibling's mark, though in our AS", false, [65_001, 65_101], [sibling]],
    ["no mark, from another AS", false, [65_001, 65_102], []],
    ["no mark, from our AS: communities may have been stripped", true, [65_001, 65_101, 65_101], []],
    ["no mark and no AS (iBGP)", true, [], []],
    ["a mark of another AS", false, [65_001, 65_102], [{ ...origin.instance, global: 65_102 }]],
  ])("a path with %s: ours is %s", (_name, ours, asPath, largeCommunities) => {
    expect(isOurs({ asPath, largeCommunities, communities: [] }, origin)).toBe(ours);
  });
});
