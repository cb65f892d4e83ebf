/** One core for a worker that is flooded and for the thread that renews the lease: the flood must not take the site away. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { LeaseReader } from "../../packages/health/test/lease-reader.ts";
import { freePort } from "../free-port.ts";
import { describeUnless, lacking } from "../lacking.ts";
import { RoleProcess } from "../role-process.ts";

const ADDRESS = "127.91.10.53";
const [ROLE_CORE, FLOOD_CORE] = ["0", "1"];
/** A list as large as there are; to read it again is the most that the main thread ever has to do. */
const NAMES = 1_000_000;
const LASTS_MS = 10_000;
/**
 * As long as the lease lasts; it takes about 300. It was 0.56 to 1 s when the main thread had a tenth of the core, and read a
 * list at one go.
 */
const LONGEST_GAP_MS = 500;

const pinning = promisify(execFile)("taskset", ["-c", `${ROLE_CORE},${FLOOD_CORE}`, "true"]);
const noPinning = await pinning.then(
  () => undefined,
  () => "no taskset, or not two cores",
);
const lacks = (await lacking({ addon: true })) ?? (availableParallelism() < 2 ? "one core" : noPinning);

const folder = mkdtempSync(join(tmpdir(), "stitch-one-core-"));
const endings: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of endings) await end();
  rmSync(folder, { recursive: true, force: true });
});

describeUnless(lacks, "a resolver and its only worker on one core", () => {
  test("renew the lease while the worker is flooded and a million names are read", async () => {
    const [port, health] = [await freePort(ADDRESS), await freePort("127.0.0.1")];
    const role = new RoleProcess("dns-resolver", siteFile(port, health), "run-main.ts", ["taskset", "-c", ROLE_CORE]);
    endings.push(() => role.end());
    await role.serving();
    const lease = await LeaseReader.open(health);
    endings.push(() => lease.close());
    await flood(port);
    const began = performance.now();
    for (let n = 1; performance.now() < began + LASTS_MS; n += 1) {
      renameSync(list(n), join(folder, "blocked"));
      await role.reload();
    }
    const heard = lease.events.filter(({ event }) => event === "renewal").map(({ at }) => at);
    const longestGap = longestOf([...heard, performance.now()]);
    const renewals = heard.filter((at) => at >= began).length;
    process.stdout.write(`one core: ${renewals} renewals, ${Math.round(longestGap)} ms at most\n`);
    const states = lease.events.filter(({ event }) => event !== "renewal").map(({ data }) => data);
    for (const state of states) expect(state).toMatchObject({ phase: "serving", verdict: "pass" });
    expect(lease.ended).toBe(false);
    expect(longestGap).toBeLessThan(LONGEST_GAP_MS);
    expect(renewals).toBeGreaterThan(LASTS_MS / LONGEST_GAP_MS);
  });
});

/** The longest time between two moments. */
function longestOf(moments: readonly number[]): number {
  return moments.reduce((longest, at, i) => Math.max(longest, at - (moments[i - 1] ?? at)), 0);
}

function siteFile(port: number, health: number): string {
  const file = join(folder, "site.yaml");
  renameSync(list(0), join(folder, "blocked"));
  writeFileSync(
    file,
    `site: nyc
instance: nyc-1
dns:
  listen: ["${ADDRESS}:${port}"]
  health: "127.0.0.1:${health}"
  workers: 1
  routes: [{ zone: ".", upstreams: ["127.91.10.54:9"] }]
  policies: [{ file: blocked, kind: domains }]
`,
  );
  return file;
}

/** A list that is another each time; only its last line is. */
function list(n: number): string {
  const file = join(folder, `list-${n}`);
  writeFileSync(file, `${NAMES_TEXT}name-${n}.test\n`);
  return file;
}

const NAMES_TEXT = Array.from({ length: NAMES }, (_, i) => `name-${i}.below-${i % 1_000}.test\n`).join("");

async function flood(port: number): Promise<void> {
  const script = join(import.meta.dirname, "one-core", "flood.ts");
  const argv = ["-c", FLOOD_CORE, process.execPath, script, ADDRESS, String(port)];
  const child: ChildProcess = spawn("taskset", argv, { stdio: ["ignore", "pipe", "inherit"] });
  endings.push(() => child.kill("SIGKILL"));
  await once(child.stdout ?? child, "data");
}
