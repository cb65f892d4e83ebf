import { expect, test } from "vitest";
import { addressIsLocal } from "../src/check/address.ts";

test.each([
  ["127.99.1.1", true],
  ["192.0.2.53", false], // RFC 5737: nobody's
  ["2001:db8::53", false], // RFC 3849: nobody's
])("%s is an address of this machine: %s", async (address, local) => {
  expect(await addressIsLocal(address)).toBe(local);
});
