import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { closureOf, type DebianPackage, PeerUnavailable, refreshLists, unpack } from "./apt.ts";
import { factsOf, type PeerFacts, type PeerName, pythonModules } from "./catalogue.ts";
import { withLock } from "./lock.ts";

/** A peer unpacked in the project's cache: run its programs by `path` with `env`. */
export interface Peer {
  readonly name: PeerName;
  /** Upstream version, `8.4.4`, without Debian's epoch and revision. */
  readonly version: string;
  readonly debianVersion: string;
  /** The unpacked tree. */
  readonly root: string;
  readonly facts: PeerFacts;
  /** LD_LIBRARY_PATH, PYTHONPATH and the like, to be added to the environment of its programs. */
  readonly env: Readonly<Record<string, string>>;
  /** `usr/lib/frr/bgpd` -> absolute path in the tree. */
  path(relative: string): string;
  /** `bgpd` -> absolute path; throws when the catalogue does not list it. */
  program(name: string): string;
}

export type Progress = (line: string) => void;
export interface FetchOptions {
  readonly cache?: string;
  readonly progress?: Progress;
}

const CACHE = join(import.meta.dirname, "../../../.cache/peers");
const TRIPLES: Readonly<Record<string, string>> = { x64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" };
const triple = TRIPLES[process.arch] ?? "x86_64-linux-gnu";
const MANIFEST = "peer.json";

const fetched = new Map<string, Promise<Peer>>();

/** The peer, fetched first if the cache lacks it. Throws `PeerUnavailable` with a sentence for a person. */
export function peer(name: PeerName, options: FetchOptions = {}): Promise<Peer> {
  const cache = options.cache ?? CACHE;
  const key = `${cache}\0${name}`;
  const known = fetched.get(key);
  if (known !== undefined) return known;
  const promise = find(name, cache, options.progress ?? ((line) => void process.stderr.write(`${line}\n`)));
  fetched.set(key, promise);
  promise.catch(() => fetched.delete(key));
  return promise;
}

export type Availability = { readonly ok: true; readonly peer: Peer } | { readonly ok: false; readonly reason: string };

/** As `peer`, but a failure is a value: the sentence that a skipped test shows. */
export async function peerAvailability(name: PeerName, options: FetchOptions = {}): Promise<Availability> {
  try {
    return { ok: true, peer: await peer(name, options) };
  } catch (error) {
    return { ok: false, reason: `${name}: ${error instanceof Error ? error.message : String(error)}` };
  }
}

async function find(name: PeerName, cache: string, progress: Progress): Promise<Peer> {
  const cached = await readCached(name, cache);
  if (cached !== undefined) return cached;
  if (process.platform !== "linux") throw new PeerUnavailable(`real peers run on Linux; this is ${process.platform}`);
  await mkdir(cache, { recursive: true });
  return withLock(join(cache, `${name}.lock`), async () => {
    const meanwhile = await readCached(name, cache);
    return meanwhile ?? fetchPeer(name, cache, progress);
  });
}

async function readCached(name: PeerName, cache: string): Promise<Peer | undefined> {
  const entries = await readdir(cache).catch(() => []);
  const complete = entries.filter((entry) => entry.startsWith(`${name}-`) && existsSync(join(cache, entry, MANIFEST)));
  const newest = complete.toSorted().at(-1);
  if (newest === undefined) return undefined;
  const root = join(cache, newest);
  const manifest = JSON.parse(await readFile(join(root, MANIFEST), "utf8")) as { packages: DebianPackage[] };
  return describe(name, root, manifest.packages);
}

async function fetchPeer(name: PeerName, cache: string, progress: Progress): Promise<Peer> {
  const packages = await resolve(name, cache, progress);
  const work = join(cache, `.${name}-${randomBytes(4).toString("hex")}`);
  const tree = join(work, "tree");
  await mkdir(join(work, "archives"), { recursive: true });
  try {
    progress(`peers: ${name}: fetching ${packages.map((entry) => `${entry.name} ${entry.version}`).join(", ")}`);
    await unpack(packages, join(work, "archives"), tree);
    await writeFile(join(tree, MANIFEST), JSON.stringify({ packages }));
    const root = join(cache, `${name}-${mainOf(name, packages).version.replace(":", "%3a")}`);
    await putInPlace(tree, root);
    progress(`peers: ${name}: unpacked`);
    return describe(name, root, packages);
  } catch (error) {
    throw new PeerUnavailable(`could not be fetched (${(error as Error).message}); is there a network?`);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** A tree without a manifest is what an interrupted run left; one with a manifest may be in use and stays. */
async function putInPlace(tree: string, root: string): Promise<void> {
  if (existsSync(join(root, MANIFEST))) return;
  await rm(root, { recursive: true, force: true });
  await rename(tree, root);
}

async function resolve(name: PeerName, cache: string, progress: Progress): Promise<readonly DebianPackage[]> {
  try {
    return await closures(factsOf(name).packages);
  } catch (error) {
    if (error instanceof PeerUnavailable) throw error;
    progress(`peers: ${name}: refreshing the package lists (${(error as Error).message})`);
  }
  try {
    await refreshLists(join(cache, "apt-lists.lock"));
    return await closures(factsOf(name).packages);
  } catch (error) {
    if (error instanceof PeerUnavailable) throw error;
    throw new PeerUnavailable(`apt cannot find ${factsOf(name).packages.join(", ")} (${(error as Error).message})`);
  }
}

async function closures(names: readonly string[]): Promise<readonly DebianPackage[]> {
  const all = new Map<string, DebianPackage>();
  for (const name of names) for (const entry of await closureOf(name)) all.set(entry.name, entry);
  return [...all.values()];
}

function mainOf(name: PeerName, packages: readonly DebianPackage[]): DebianPackage {
  const main = packages.find((entry) => entry.name === factsOf(name).packages[0]);
  if (main === undefined)
    throw new PeerUnavailable(`the cached ${name} is incomplete: remove its folder under .cache/peers`);
  return main;
}

function describe(name: PeerName, root: string, packages: readonly DebianPackage[]): Peer {
  const facts = factsOf(name);
  const debianVersion = mainOf(name, packages).version;
  const path = (relative: string): string => join(root, relative);
  const program = (wanted: string): string => {
    const relative = facts.programs[wanted];
    if (relative === undefined) throw new Error(`peer ${name} lists no program ${wanted}`);
    const found = path(relative);
    // Since Debian 13 everything lies in /usr.
    return relative.startsWith("usr/") || existsSync(found) ? found : path(join("usr", relative));
  };
  return {
    name,
    version: upstream(debianVersion),
    debianVersion,
    root,
    facts,
    env: environment(root, facts),
    path,
    program,
  };
}

/** `1:9.18.49-1~deb12u3` -> `9.18.49`; `1.2.2+dfsg1-1` -> `1.2.2`. */
export function upstream(debianVersion: string): string {
  return debianVersion
    .replace(/^\d+:/, "")
    .replace(/-[^-]*$/, "")
    .replace(/\+dfsg.*$/, "");
}

function environment(root: string, facts: PeerFacts): Record<string, string> {
  const libraries = ["usr/lib/ARCH", "lib/ARCH", ...(facts.libraries ?? [])]
    .map((folder) => join(root, folder.replace("ARCH", triple)))
    .filter((folder) => existsSync(folder));
  const modules = join(root, pythonModules);
  return {
    ...(libraries.length === 0 ? {} : { LD_LIBRARY_PATH: libraries.join(":") }),
    ...(existsSync(modules) ? { PYTHONPATH: modules, PYTHONDONTWRITEBYTECODE: "1" } : {}),
  };
}
