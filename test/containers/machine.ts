import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { peer } from "@stitch/peers";
import { execa } from "execa";

/** What of the machine a container engine or containerlab would change if it could: part -> its text. */
export type MachineState = Readonly<Record<string, string>>;

/** Counters and clocks among the sysctls, and what writing to reads nothing. */
const RESTLESS = /\/(route\/flush|nf_conntrack_count|stable_secret|stat_refresh|tcp_fastopen_key)$/;
const FOLDERS = ["/run/netns", "/run/docker", "/var/lib/docker", "/etc/docker", "/etc/ssh/ssh_config.d"];

export async function machineState(): Promise<MachineState> {
  const nft = await peer("nft");
  const rules = await execa(nft.program("nft"), ["list", "ruleset"], { env: nft.env });
  return {
    "hosts file": readFileSync("/etc/hosts", "utf8"),
    links: await ip("-oneline", "link"),
    addresses: stable(await ip("-oneline", "address")),
    routes: stable(await ip("route", "show", "table", "all")),
    "IPv6 routes": stable(await ip("-6", "route", "show", "table", "all")),
    "packet filter": rules.stdout,
    sysctls: sysctls("/proc/sys/net").join("\n"),
    folders: FOLDERS.map((folder) => `${folder}: ${entries(folder).join(" ")}`).join("\n"),
  };
}

/** A line per part that differs, with the lines that came and went. */
export function differences(before: MachineState, after: MachineState): readonly string[] {
  return Object.keys(before).flatMap((part) => {
    const [old, now] = [before[part] ?? "", after[part] ?? ""].map((text) => text.split("\n"));
    const gone = old?.filter((line) => !now?.includes(line)).map((line) => `${part}: - ${line}`) ?? [];
    const come = now?.filter((line) => !old?.includes(line)).map((line) => `${part}: + ${line}`) ?? [];
    return [...gone, ...come];
  });
}

async function ip(...args: readonly string[]): Promise<string> {
  return (await execa("ip", args)).stdout;
}

/** Lifetimes that count down by themselves. */
function stable(text: string): string {
  return text.replaceAll(/ (expires|valid_lft|preferred_lft) \S+/g, "");
}

function sysctls(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sysctls(path);
    return RESTLESS.test(path) ? [] : [`${path} = ${readable(path)}`];
  });
}

function readable(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "(not to be read)";
  }
}

/** Namespaces of the other suites, which may run at the same time, come and go. */
function entries(folder: string): readonly string[] {
  return exists(folder) ? readdirSync(folder).filter((name) => !name.startsWith("stitch-")) : ["(not there)"];
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
