import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { topologyFile, type Variant, VARIANTS } from "../src/variant.ts";
import { drillsOf } from "../src/drill/index.ts";
import { CALM } from "../src/drill/plan.ts";
import { parseDaemons } from "../src/namespace/frr.ts";
import { parseTopology, readTopology } from "../src/topology.ts";

const minimal = (node: string, links = ""): string =>
  `name: x\ntopology:\n  nodes:\n    a: { kind: linux, labels: { stitch-runs: nothing }${node} }\n${links}`;

const COUNTS: Readonly<
  Record<Variant, { readonly nodes: readonly number[]; readonly links: number; readonly files: number }>
> = {
  anycast: { nodes: [3, 2, 4], links: 8, files: 13 },
  ospf: { nodes: [5, 2, 3], links: 7, files: 19 },
  ecmp: { nodes: [1, 2, 1], links: 3, files: 7 },
  three: { nodes: [4, 3, 5], links: 11, files: 8 },
};

interface RawNode {
  readonly labels: Readonly<Record<string, string>>;
  readonly healthcheck?: unknown;
}

describe.each(VARIANTS)("the topology %s", (variant) => {
  const file = topologyFile(variant);
  const topology = readTopology(file);

  const count = (runs: string): number => topology.nodes.filter((node) => node.runs === runs).length;

  test("has its routers, hosts, clients and links", () => {
    expect(topology.name).toBe(`stitch-${variant}`);
    expect([count("frr"), count("stitch"), count("nothing")]).toEqual(COUNTS[variant].nodes);
    expect(topology.links).toHaveLength(COUNTS[variant].links);
  });

  test("binds exactly the files that lie in its nodes' folders, and what it borrows is there", () => {
    const own = join(file, "../nodes");
    const lying = readdirSync(own, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    const bound = topology.nodes.flatMap(({ binds }) => binds.map(({ source }) => source));
    expect(bound.filter((each) => each.startsWith(own)).toSorted()).toEqual(lying.toSorted());
    expect(lying).toHaveLength(COUNTS[variant].files);
    expect(bound.every((each) => existsSync(each))).toBe(true);
  });

  test("gives routers forwarding on top of everybody's sysctls", () => {
    const routers = topology.nodes.filter(({ runs, networkOf }) => runs === "frr" && networkOf === undefined);
    for (const { sysctls } of routers)
      expect(sysctls).toMatchObject({ "net.ipv4.ip_forward": "1", "net.ipv4.conf.all.rp_filter": "0" });
  });

  test("asks nobody for health who serves nothing: a check costs a start of Node, every ten seconds in every container", () => {
    const { nodes } = (parse(readFileSync(file, "utf8")) as { topology: { nodes: Record<string, RawNode> } }).topology;
    const idle = Object.values(nodes).filter(({ labels }) => labels["stitch-runs"] === "nothing");
    expect(idle).toHaveLength(count("nothing"));
    for (const { healthcheck } of idle) expect(healthcheck).toEqual({ test: ["NONE"] });
  });

  test("has a calm state of nodes and devices that exist", () => {
    const ends = new Set(topology.links.flat().map((end) => `${end.node}:${end.interface}`));
    for (const { node, devices } of CALM[variant])
      for (const device of devices) expect(ends).toContain(`${node}:${device}`);
  });

  test("has drills", () => {
    expect(drillsOf(variant).length).toBeGreaterThan(0);
  });
});

test("a node that shares a network leaves its sysctls to the network's owner", () => {
  const nodes = readTopology(topologyFile("ospf")).nodes.filter(({ networkOf }) => networkOf !== undefined);
  expect(nodes.map(({ name, networkOf, sysctls }) => [name, networkOf, sysctls])).toEqual([
    ["frr-nyc", "host-nyc", {}],
    ["frr-lon", "host-lon", {}],
  ]);
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
    [
      "a network of nobody",
      minimal(", network-mode: container:b"),
      /network-mode names "b", which is no node before it/,
    ],
    ["another network mode", minimal(", network-mode: host"), /network-mode is container:NODE or absent/],
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
