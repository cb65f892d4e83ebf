import { readFileSync } from "node:fs";
import type { Peer } from "@stitch/peers";
import type { TopologyNode } from "../topology.ts";

/** The FRR daemons that a node's `daemons` file switches on, each with its options, in FRR's own starting order. */
export interface FrrDaemon {
  readonly name: string;
  readonly options: readonly string[];
}

const ORDER = ["zebra", "bgpd", "ospfd", "staticd", "bfdd"];

export function parseDaemons(text: string): readonly FrrDaemon[] {
  const settings = new Map(
    [...text.matchAll(/^(\w+)=(.*)$/gm)].map(([, key = "", value = ""]) => [key, value.replaceAll('"', "").trim()]),
  );
  return ORDER.filter((name) => name === "zebra" || settings.get(name) === "yes").map((name) => ({
    name,
    options: (settings.get(`${name}_options`) ?? "").split(/\s+/).filter((word) => word !== ""),
  }));
}

/** Command lines that bring a router up: its daemons, then its integrated configuration. */
export function frrCommands(node: TopologyNode, frr: Peer): readonly (readonly string[])[] {
  const bind = node.binds.find(({ target }) => target === "/etc/frr/daemons");
  if (bind === undefined) throw new Error(`node ${node.name} runs frr and binds no /etc/frr/daemons`);
  const daemons = parseDaemons(readFileSync(bind.source, "utf8"));
  return [
    ...daemons.map(({ name, options }) => [frr.program(name), "--daemon", ...options]),
    [frr.program("vtysh"), "--boot"],
  ];
}
