import { execa } from "execa";
import { readdir } from "node:fs/promises";
import { isAlive } from "./lock.ts";

/** A network namespace with `lo` up and no way out. */
export interface Namespace {
  readonly name: string;
  /** The command line that runs `argv` inside; the mount namespace stays the caller's. */
  enter(argv: readonly string[]): string[];
}

const PREFIX = "stitch";
let counter = 0;

/** Why namespaces cannot be made here, as a sentence, or undefined when they can. */
export async function namespacesUnavailable(): Promise<string | undefined> {
  if (process.platform !== "linux") return `network namespaces need Linux; this is ${process.platform}`;
  if (process.getuid?.() !== 0) return "network namespaces need root: run with sudo";
  const probe = await execa("unshare", ["--net", "--mount", "ip", "link", "show", "lo"], { reject: false });
  return probe.exitCode === 0 ? undefined : `unshare --net does not work here: ${probe.stderr || probe.message}`;
}

/** Makes a namespace, runs `work`, deletes the namespace whatever happens. Processes in it are the caller's to end. */
export async function withNamespace<T>(work: (namespace: Namespace) => Promise<T>, label = "test"): Promise<T> {
  const namespace = await makeNamespace(label);
  try {
    return await work(namespace);
  } finally {
    await deleteNamespace(namespace);
  }
}

/** `label` is at most a few letters; the name carries our pid, so a later run can tell leftovers from the living. */
export async function makeNamespace(label: string): Promise<Namespace> {
  await sweepNamespaces();
  const name = `${PREFIX}-${process.pid}-${counter++}-${label}`;
  await execa("ip", ["netns", "add", name]);
  await execa("ip", ["-n", name, "link", "set", "lo", "up"]);
  return { name, enter: (argv) => ["nsenter", `--net=/run/netns/${name}`, "--", ...argv] };
}

export async function deleteNamespace(namespace: Namespace): Promise<void> {
  await execa("ip", ["netns", "del", namespace.name], { reject: false });
}

/** Deletes namespaces whose maker is gone (a run that was killed). Answers how many. */
export async function sweepNamespaces(): Promise<number> {
  const names = await readdir("/run/netns").catch(() => []);
  const orphans = names.filter((name) => {
    const maker = new RegExp(`^${PREFIX}-(\\d+)-`).exec(name)?.[1];
    return maker !== undefined && !isAlive(Number(maker));
  });
  for (const name of orphans) await execa("ip", ["netns", "del", name], { reject: false });
  return orphans.length;
}
