// The ruler is tested: with a stand-in instead of stitch (BIRD, and as little service as answers a probe) the drills must see
// what is known of it, above all the loss of a planned withdrawal without drain.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { seconds, SystemClock } from "@stitch/clock";
import { DRILLS, type Lab, layOut, runDrill, settled, until, variant } from "@stitch/lab";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeUnless } from "../lacking.ts";
import { lacking } from "./in-lab.ts";

const clock = new SystemClock();
const LIMIT_MS = 120_000;
const quiet = (): void => undefined;

/** What the lab must not touch: the machine's links, routes and forwarding. */
async function machine(): Promise<string> {
  const [links, routes] = await Promise.all([execa("ip", ["-o", "link"]), execa("ip", ["route"])]);
  const forward = await readFile("/proc/sys/net/ipv4/ip_forward", "utf8");
  // Links of other tests' namespaces come and go; what the lab would leave is named in its topology.
  return [links.stdout.split("\n").filter((line) => /to-|eth1/.test(line)), routes.stdout, forward].join("\n");
}

describeUnless(lacking, "the drills, with a stand-in for stitch", () => {
  let lab: Lab;
  let before = "";
  beforeAll(async () => {
    before = await machine();
    lab = await layOut(variant("anycast", { clock, standIn: true }));
  }, LIMIT_MS);
  afterAll(() => lab?.down());

  const run = (name: string) => {
    const drill = DRILLS.find((candidate) => candidate.name === name);
    if (drill === undefined) throw new Error(`no drill ${name}`);
    return runDrill(drill, { lab, clock, progress: quiet, repetitions: 1, brief: true });
  };

  test(
    "a plain withdrawal is seen to lose what a drain must not",
    async () => {
      const { figures, failures } = await run("drain");
      // Some 50 ms per router on the way: the router next to the host drops its route before the core has turned away.
      expect(figures["drain_lost"]).toBeGreaterThanOrEqual(20);
      expect(failures).toHaveLength(1);
    },
    LIMIT_MS,
  );

  test(
    "killing service and speaker together opens a gap of the routers' making",
    async () => {
      const { figures } = await run("kill-dns");
      expect(figures["floor_gap_branch_ms"]).toBeGreaterThan(60);
      expect(figures["floor_gap_branch_ms"]).toBeLessThan(1_000);
    },
    LIMIT_MS,
  );

  test(
    "a link taken down at the router moves its site's addresses, and back when it is up again",
    async () => {
      await settled(lab, clock);
      const core = async (): Promise<string> =>
        (await lab.exec("core", ["ip", "route", "get", "10.10.10.53"], { mayFail: true })).stdout;
      await lab.link("tor-nyc", "host-nyc", "down");
      await until(clock, "the core to turn to London", seconds(5), async () =>
        (await core()).includes("to-lon") ? true : undefined,
      );
      await lab.link("tor-nyc", "host-nyc", "up");
      await settled(lab, clock);
      expect(await core()).toContain("to-nyc");
    },
    LIMIT_MS,
  );

  test("the machine's own links, routes and forwarding stay as they were", async () => {
    expect(await machine()).toBe(before);
  });
});

describeUnless(lacking, "a runner that is killed", () => {
  test(
    "leaves no process of any node behind",
    async () => {
      const main = join(import.meta.dirname, "../../lab/src/main.ts");
      const child = spawn(process.execPath, [main, "nearest", "--stand-in"], { stdio: ["ignore", "ignore", "pipe"] });
      const own = await readlink("/proc/self/ns/net");
      for await (const chunk of child.stderr) if (String(chunk).includes("drill:")) break;
      const nodes = await namespacesBelow(child.pid ?? 0);
      expect(nodes.size).toBeGreaterThanOrEqual(8);
      expect(nodes.has(own)).toBe(true);
      nodes.delete(own);
      child.kill("SIGKILL");
      await once(child, "exit");
      await until(clock, "the kernel to end every node", seconds(10), async () =>
        (await inhabited(nodes)) === 0 ? true : undefined,
      );
    },
    LIMIT_MS,
  );
});

/** Network namespaces of a process and everything below it. */
async function namespacesBelow(pid: number): Promise<Set<string>> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  const below = await Promise.all(
    children
      .split(" ")
      .filter(Boolean)
      .map((child) => namespacesBelow(Number(child))),
  );
  const own = await readlink(`/proc/${pid}/ns/net`).catch(() => undefined);
  return new Set([...below.flatMap((set) => [...set]), ...(own === undefined ? [] : [own])]);
}

/** How many processes still live in one of the namespaces. */
async function inhabited(namespaces: ReadonlySet<string>): Promise<number> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const links = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/ns/net`).catch(() => "")));
  return links.filter((link) => namespaces.has(link)).length;
}
