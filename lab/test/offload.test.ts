import { expect, test } from "vitest";
import { isOn } from "../src/containerlab/offload.ts";

const FEATURES = [
  "Features for eth1:",
  "rx-checksumming: on",
  "\ttx-checksum-ip-generic: on",
  "tx-udp-segmentation: on",
  "tx-vlan-offload: on [fixed]",
].join("\n");

test("a link's feature is on when ethtool says so, changeable or not", () => {
  for (const name of ["tx-udp-segmentation", "tx-checksum-ip-generic", "tx-vlan-offload"])
    expect(isOn(FEATURES, name)).toBe(true);
});

test.each([
  ["off", "tx-udp-segmentation: off"],
  ["off against its owner's wish, as containerlab leaves it", "tx-udp-segmentation: off [requested on]"],
  ["of another name", "no-tx-udp-segmentation: on"],
  ["not known to this kernel", ""],
])("it is not on when it is %s", (_what, features) => {
  expect(isOn(features, "tx-udp-segmentation")).toBe(false);
});
