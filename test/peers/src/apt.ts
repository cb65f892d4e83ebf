import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { withLock } from "./lock.ts";

/** A failure that reaches a person as it is: what is missing and what to do. */
export class PeerUnavailable extends Error {}

export interface DebianPackage {
  readonly name: string;
  readonly version: string;
}

// C locale: the answers are parsed. The `_apt` sandbox user cannot write into the project's cache folder.
const APT = { env: { LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" }, stdin: "ignore" as const };
const UNSANDBOXED = ["-o", "APT::Sandbox::User=root"];
/** Time that one apt command may take before it counts as "no network". */
const APT_TIMEOUT_MS = 120_000;

async function apt(args: readonly string[], cwd?: string): Promise<string> {
  const result = await execa("apt-get", args, {
    ...APT,
    reject: false,
    timeout: APT_TIMEOUT_MS,
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (result.code === "ENOENT")
    throw new PeerUnavailable(
      "peers are unpacked from Debian packages and this machine has no apt-get: use Debian or Ubuntu",
    );
  if (result.exitCode !== 0) throw new Error(lastLine(result.stderr) || `apt-get ${args.join(" ")} failed`);
  return result.stdout;
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}

/** `Inst NAME (VERSION ...)` is missing here; `Inst NAME [OLD] (VERSION ...)` would only be upgraded and is left alone. */
export function parseSimulation(text: string, wanted: string): readonly DebianPackage[] {
  const found = [...text.matchAll(/^Inst (\S+) (\[[^\]]*\] )?\((\S+) /gm)];
  return found
    .filter(([, name, installed]) => installed === undefined || name === wanted)
    .map(([, name = "", , version = ""]) => ({ name, version }));
}

/** The package itself plus what it needs and this machine lacks. Nothing is installed. */
export async function closureOf(name: string): Promise<readonly DebianPackage[]> {
  const text = await apt(["install", "--simulate", "--no-install-recommends", "--reinstall", name]);
  const missing = parseSimulation(text, name);
  if (missing.some((entry) => entry.name === name)) return missing;
  return [...missing, { name, version: await candidateOf(name) }];
}

async function candidateOf(name: string): Promise<string> {
  const { stdout } = await execa("apt-cache", ["policy", name], APT);
  return /Candidate: (\S+)/.exec(stdout)?.[1] ?? "";
}

/** Refreshes the package lists once per machine at a time; only root may. */
export async function refreshLists(lockFolder: string): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new PeerUnavailable(
      "apt does not know a package that the tests need: run `sudo apt-get update`, then try again",
    );
  await withLock(lockFolder, async () => void (await apt(["update"])));
}

/** Downloads into `folder` and unpacks into `root`. */
export async function unpack(packages: readonly DebianPackage[], folder: string, root: string): Promise<void> {
  await apt([...UNSANDBOXED, "download", ...packages.map(({ name, version }) => `${name}=${version}`)], folder);
  const archives = (await readdir(folder)).filter((name) => name.endsWith(".deb"));
  if (archives.length < packages.length) throw new Error(`${archives.length} of ${packages.length} archives arrived`);
  for (const archive of archives) await execa("dpkg", ["-x", join(folder, archive), root]);
}
