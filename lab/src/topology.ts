import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse } from "yaml";

/** What a node runs besides its `exec` lines; containerlab takes it from the image, the namespace driver from the label. */
export type Runs = "frr" | "stitch" | "nothing";
const RUNS: readonly string[] = ["frr", "stitch", "nothing"] satisfies readonly Runs[];

export interface TopologyNode {
  readonly name: string;
  readonly runs: Runs;
  /** Arguments after the image's entry point. */
  readonly cmd: readonly string[];
  /** Absolute source -> path in the node. */
  readonly binds: readonly { readonly source: string; readonly target: string }[];
  readonly exec: readonly (readonly string[])[];
  readonly sysctls: Readonly<Record<string, string>>;
  /** The node whose network this one is in, as of containers that share one. It comes earlier in the file. */
  readonly networkOf: string | undefined;
}
export interface LinkEnd {
  readonly node: string;
  readonly interface: string;
}
export interface Topology {
  readonly name: string;
  readonly nodes: readonly TopologyNode[];
  readonly links: readonly (readonly [LinkEnd, LinkEnd])[];
}

/** Reads the part of a containerlab topology that the lab uses. Throws with file and path on anything it does not know. */
export function readTopology(file: string): Topology {
  return parseTopology(readFileSync(file, "utf8"), file);
}

export function parseTopology(text: string, file: string): Topology {
  const at = (path: string): Reader => ({ file, path });
  const top = mapping(parse(text), at(""));
  const topology = mapping(top["topology"], at("topology"));
  const defaults = mapping(topology["defaults"] ?? {}, at("topology.defaults"));
  const nodes = Object.entries(mapping(topology["nodes"], at("topology.nodes"))).map(([name, value]) =>
    node(name, mapping(value, at(`topology.nodes.${name}`)), defaults, at(`topology.nodes.${name}`)),
  );
  const known = new Set(nodes.map(({ name }) => name));
  for (const [index, { name, networkOf }] of nodes.entries()) {
    if (networkOf !== undefined && !nodes.slice(0, index).some((other) => other.name === networkOf))
      throw problem(at(`topology.nodes.${name}`), `network-mode names "${networkOf}", which is no node before it`);
  }
  const links = list(topology["links"] ?? [], at("topology.links")).map((value, index) =>
    link(value, known, at(`topology.links[${index}]`)),
  );
  return { name: string(top["name"], at("name")), nodes, links };
}

interface Reader {
  readonly file: string;
  readonly path: string;
}
type Mapping = Readonly<Record<string, unknown>>;

/** What is for the image alone. */
const IMAGE_KEYS = ["image", "env", "entrypoint", "healthcheck"];
const NODE_KEYS = new Set([...IMAGE_KEYS, "kind", "labels", "cmd", "binds", "exec", "sysctls", "network-mode"]);

function node(name: string, value: Mapping, defaults: Mapping, at: Reader): TopologyNode {
  for (const key of Object.keys(value)) if (!NODE_KEYS.has(key)) throw problem(at, `the lab does not know "${key}"`);
  const kind = value["kind"] ?? defaults["kind"];
  if (kind !== "linux") throw problem(at, `kind is ${JSON.stringify(kind)}; the lab runs kind linux`);
  const networkOf = networkOwner(value["network-mode"], at);
  return {
    name,
    runs: runs(mapping(value["labels"] ?? {}, at)["stitch-runs"], at),
    cmd: words(string(value["cmd"] ?? "", at)),
    binds: list(value["binds"] ?? [], at).map((bind) => bindOf(string(bind, at), at)),
    exec: list(value["exec"] ?? [], at).map((line) => words(string(line, at))),
    // Whoever shares a network finds it set up by its owner.
    sysctls: networkOf === undefined ? { ...texts(defaults["sysctls"], at), ...texts(value["sysctls"], at) } : {},
    networkOf,
  };
}

/** containerlab passes the word on to the container engine; of its forms the lab knows the one that shares a network. */
function networkOwner(value: unknown, at: Reader): string | undefined {
  if (value === undefined) return undefined;
  const owner = /^container:([\w-]+)$/.exec(string(value, at))?.[1];
  if (owner === undefined) throw problem(at, "network-mode is container:NODE or absent");
  return owner;
}

function runs(value: unknown, at: Reader): Runs {
  if (typeof value !== "string" || !RUNS.includes(value))
    throw problem(at, `label stitch-runs is one of ${RUNS.join(", ")}`);
  return value as Runs;
}

function bindOf(text: string, at: Reader): { readonly source: string; readonly target: string } {
  const [source, target, ...rest] = text.split(":");
  if (source === undefined || target === undefined || rest.length > 0)
    throw problem(at, `bind "${text}" is not SOURCE:TARGET`);
  return { source: resolve(dirname(at.file), source), target };
}

function link(value: unknown, known: ReadonlySet<string>, at: Reader): readonly [LinkEnd, LinkEnd] {
  const ends = list(mapping(value, at)["endpoints"], at).map((end) => linkEnd(string(end, at), known, at));
  const [a, b] = ends;
  if (a === undefined || b === undefined || ends.length !== 2) throw problem(at, "a link has two endpoints");
  return [a, b];
}

function linkEnd(text: string, known: ReadonlySet<string>, at: Reader): LinkEnd {
  const [name = "", device = ""] = text.split(":");
  if (!known.has(name)) throw problem(at, `there is no node "${name}"`);
  // IFNAMSIZ: 15 characters and a zero.
  if (device === "" || device.length > 15) throw problem(at, `"${text}" is not NODE:INTERFACE`);
  return { node: name, interface: device };
}

/** containerlab runs `exec` lines without a shell; so does the lab. */
function words(line: string): string[] {
  return line.split(/\s+/).filter((word) => word !== "");
}

function mapping(value: unknown, at: Reader): Mapping {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw problem(at, "expected a mapping");
  return value as Mapping;
}
function list(value: unknown, at: Reader): readonly unknown[] {
  if (!Array.isArray(value)) throw problem(at, "expected a list");
  return value;
}
function string(value: unknown, at: Reader): string {
  if (typeof value !== "string") throw problem(at, `expected text, not ${JSON.stringify(value)}`);
  return value;
}
function texts(value: unknown, at: Reader): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(mapping(value ?? {}, at)).map(([key, entry]) => [key, String(entry)]));
}
function problem(at: Reader, message: string): Error {
  return new Error(`${at.file}: ${at.path}: ${message}`);
}
