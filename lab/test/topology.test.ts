import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ANYCAST_TOPOLOGY } from "../src/anycast.ts";
import { parseDaemons } from "../src/namespace/frr.ts";
import { parseTopology, readTopology } from "../src/topology.ts";

const minimal = (node: string, links = ""): string =>
  `name: x\ntopology:\n  nodes:\n    a: { kind: linux, labels: { stitch-runs: nothing }${node} }\n${links}`;

describe("the anycast topology", () => {
  const topology = readTopology(ANYCAST_TOPOLOGY);

  test("has three routers, two hosts and three clients", () => {
    const count = (runs: string): number => topology.nodes.filter((node) => node.runs === runs).length;
    expect([count("frr"), count("stitch"), count("nothing")]).toEqual([3, 2, 3]);
    expect(topology.links).toHaveLength(7);
  });

  test("binds exactly the files that lie in the nodes' folders", () => {
    const folder = join(ANYCAST_TOPOLOGY, "../nodes");
    const lying = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    const bound = topology.nodes.flatMap(({ binds }) => binds.map(({ source }) => source));
    expect(bound.toSorted()).toEqual(lying.toSorted());
    expect(bound.length).toBeGreaterThanOrEqual(13);
    expect(bound.every((file) => existsSync(file))).toBe(true);
  });

  test("gives routers forwarding on top of everybody's sysctls", () => {
    const core = topology.nodes.find(({ name }) => name === "core");
    expect(core?.sysctls).toMatchObject({ "net.ipv4.ip_forward": "1", "net.ipv4.conf.all.rp_filter": "0" });
  });
});

describe("a topology the lab cannot lay out is refused with the place", () => {
  test.each([
    ["an unknown key", minimal(", ports: []"), /topology\.nodes\.a: the lab does not know "ports"/],
    ["another kind", minimal("").replace("kind: linux", "kind: ceos"), /kind is "ceos"/],
    ["no label", minimal("").replace("stitch-runs: nothing", ""), /label stitch-runs is one of/],
    ["a bind without target", minimal(", binds: [a]"), /bind "a" is not SOURCE:TARGET/],
    ["a link to nobody", minimal("", '  links: [ { endpoints: ["a:e", "b:e"] } ]'), /links\[0\]: there is no node "b"/],
    [
      "an interface name too long",
      minimal("", '  links: [ { endpoints: ["a:e", "a:0123456789abcdef"] } ]'),
      /NODE:INTERFACE/,
    ],
    ["no mapping", "[]", /expected a mapping/],
  ])("%s", (_what, text, message) => {
    expect(() => parseTopology(text, "lab.yml")).toThrow(message);
  });
});

test("a daemons file switches daemons on with their options, zebra always", () => {
  expect(parseDaemons('bgpd=yes\nospfd=no\nbgpd_options="-A 127.0.0.1 -M x"\n')).toEqual([
    { name: "zebra", options: [] },
    { name: "bgpd", options: ["-A", "127.0.0.1", "-M", "x"] },
  ]);
});
