import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { SystemClock } from "@stitch/clock";
import { deploy, type DrillResult, drillsOf, type Lab, recordRun, runDrill, settled, table } from "@stitch/lab";
import { peer } from "@stitch/peers";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { containerlab, CONTAINERLAB_VERSION, go } from "./containerlab.ts";
import { CACHE, inEngine } from "./engine.ts";

const inCi = process.env["CI"] !== undefined && process.env["CI"] !== "";
const compiler = await go();
const noGo = compiler === undefined && !inCi;
if (noGo) process.stderr.write("containerlab is left out: it is built from source, and this machine has no Go\n");

const VARIANT = "anycast";
/** What fits into CI beside `npm test`, which runs every drill in namespaces: one of each kind. */
const IN_CI = ["nearest", "trap", "kill-syslog", "kill-dns", "drain", "dark", "v6"];
const all = process.env["STITCH_ALL_DRILLS"] !== undefined;
const drills = drillsOf(VARIANT).filter(({ name }) => all || IN_CI.includes(name));
const clock = new SystemClock();
const print = (line: string): void => void process.stderr.write(`${line}\n`);
const BUILD_LIMIT_MS = 450_000;
const DRILL_LIMIT_MS = 240_000;

describe.skipIf(noGo)("the lab under containerlab", () => {
  const results: DrillResult[] = [];
  let lab: Lab | undefined;

  beforeAll(async () => {
    if (compiler === undefined) throw new Error("containerlab is built from source, and this machine has no Go");
    const program = await containerlab(compiler);
    const { env, pid } = inject("engine");
    const client = (await peer("docker")).program("docker");
    const folder = join(CACHE, "lab");
    mkdirSync(folder, { recursive: true });
    lab = await deploy({
      variant: VARIANT,
      clock,
      progress: print,
      docker: [client],
      containerlab: inEngine(pid, [program]),
      env: { ...env, CLAB_LABDIR_BASE: folder, CLAB_VERSION_CHECK: "disable" },
      enginePid: pid,
    });
    await settled(lab, clock);
  }, BUILD_LIMIT_MS);

  afterAll(async () => {
    if (lab === undefined) return;
    const { driver, versions } = lab;
    await lab.down();
    recordRun({ driver, variant: VARIANT, time: Temporal.Now.instant(), versions, drills: results });
  }, DRILL_LIMIT_MS);

  test.each(drills.map(({ name }) => name))(
    "the drill %s holds",
    async (name) => {
      const drill = drills.find((candidate) => candidate.name === name);
      if (lab === undefined || drill === undefined) throw new Error(`no lab, or no drill ${name}`);
      const result = await runDrill(drill, { lab, clock, progress: print, repetitions: all ? 3 : 1, brief: !all });
      results.push(result);
      print(`${table(result.rows)}\n`);
      expect(result.rows.length).toBeGreaterThan(0);
      expect(result.failures).toEqual([]);
    },
    DRILL_LIMIT_MS,
  );

  test("the drills chosen for CI are there", () => {
    expect(drills.map(({ name }) => name)).toEqual(expect.arrayContaining(IN_CI));
  });

  test("its nodes are containers, and the tools' versions are known", () => {
    expect(lab?.driver).toBe("containerlab");
    const { frr, node, docker, containerlab: version } = lab?.versions ?? {};
    expect({ frr, node, docker, version }).toEqual({
      frr: expect.stringMatching(/^8\.4/),
      node: process.version,
      docker: expect.stringMatching(/^20\.10/),
      version: CONTAINERLAB_VERSION,
    });
  });
});
