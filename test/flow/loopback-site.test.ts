/** `npm start` as a new user meets it: the built-in site, its three protocols, and a route that comes and goes. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { STITCH } from "@stitch/cli/program";
import { LOOPBACK } from "@stitch/cli";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

/** The README's promise: everything serves this soon after the start. */
const SERVES_WITHIN = 20_000;
/** The issue of a killed service: its route is gone this soon. */
const WITHDRAWN_WITHIN_MS = 50;

interface Line {
  readonly at: number;
  readonly text: string;
}

let state: string;
let site: ChildProcess;
let lines: Line[];

function env(): NodeJS.ProcessEnv {
  return { ...process.env, XDG_STATE_HOME: state };
}

async function stitch(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [STITCH, ...args], {
    env: env(),
    reject: false,
    timeout: 20_000,
  });
  return { code: exitCode ?? -1, out: stdout, err: stderr };
}

interface Role {
  readonly pid: number | null;
  readonly restarts: number;
}

function roles(): Record<string, Role> {
  return JSON.parse(readFileSync(join(state, "stitch", "roles.json"), "utf8")) as never;
}

/**
 * The resolver as a process, once its route is out: a try that failed may have left it restarting. Never without a
 * pid, since a signal to process 0 would reach this test's own group.
 */
async function resolver(): Promise<{ pid: number; restarts: number }> {
  return vi.waitFor(
    async () => {
      const { out } = await stitch("status", "--json");
      const { vips } = JSON.parse(out) as { vips: { service: string; state: string }[] };
      const { pid, restarts } = roles()["dns"] ?? { pid: null, restarts: 0 };
      if (pid === null || vips.find(({ service }) => service === "dns")?.state !== "UP")
        throw new Error("the resolver is not up");
      return { pid, restarts };
    },
    { timeout: SERVES_WITHIN, interval: 100 },
  );
}

/** The first line since `from` that matches; waits for it. */
async function lineLike(pattern: RegExp, from: number, within = SERVES_WITHIN): Promise<Line> {
  return vi.waitFor(
    () => {
      const found = lines.slice(from).find(({ text }) => pattern.test(text));
      if (found === undefined)
        throw new Error(
          `no line like ${pattern} in:\n${lines
            .slice(from)
            .map(({ text }) => text)
            .join("\n")}`,
        );
      return found;
    },
    { timeout: within, interval: 5 },
  );
}

const VIPS = [LOOPBACK.dns, LOOPBACK.syslog, LOOPBACK.ntp].map(({ address }) => address);

async function everythingAnnounced(from: number): Promise<void> {
  for (const address of VIPS)
    await lineLike(new RegExp(`^router .*\\+ ${address.replaceAll(".", "\\.")}/32 +announced`), from);
}

beforeAll(async () => {
  state = mkdtempSync(join(tmpdir(), "stitch-flow-"));
  lines = [];
  site = spawn(process.execPath, [STITCH, "up"], { env: env(), stdio: ["ignore", "pipe", "pipe"] });
  let rest = "";
  site.stdout?.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) lines.push({ at: performance.now(), text: part });
  });
  site.stderr?.setEncoding("utf8").on("data", (text: string) => lines.push({ at: performance.now(), text }));
  await everythingAnnounced(0);
}, 60_000);

afterAll(async () => {
  const gone = new Promise<void>((resolve) => void site.once("exit", () => resolve()));
  if (site.exitCode === null && site.kill("SIGTERM")) await gone;
  rmSync(state, { recursive: true, force: true });
}, 120_000);

describe("the built-in site", () => {
  test("answers all three protocols with the truth, as `stitch try` shows", async () => {
    const { code, out, err } = await stitch("try", "--json");
    expect(err).toBe("");
    const trials = JSON.parse(out) as { service: string; ok: boolean; answer: string }[];
    expect(trials.map(({ service, ok }) => [service, ok])).toEqual([
      ["dns", true],
      ["dns", true],
      ["syslog", true],
      ["ntp", true],
    ]);
    expect(trials[1]?.answer).toMatch(
      /corp\.stitch\.test SOA: NOERROR ns\.corp\.stitch\.test \(answered by loopback\//,
    );
    expect(trials[3]?.answer).toMatch(/stratum 10, offset -?0\.\d+ ms/);
    expect(code).toBe(0);
  });

  test("shows every VIP announced and the session established", async () => {
    const { out } = await stitch("status", "--json");
    const status = JSON.parse(out) as {
      vips: { state: string; wish: string }[];
      peers: { session: { state: string } }[];
    };
    expect(status.vips.map(({ state: name, wish }) => [name, wish])).toEqual(
      Array.from({ length: 3 }, () => ["UP", "normal"]),
    );
    expect(status.peers.map(({ session }) => session.state)).toEqual(["Established"]);
  });

  test("withdraws the route of a killed resolver within 50 ms and announces it again when it has risen", async () => {
    const { pid, restarts } = await resolver();
    const from = lines.length;
    const killed = performance.now();
    process.kill(pid, "SIGKILL");
    const withdrawn = await lineLike(/^router .*- 127\.10\.10\.53\/32 +withdrawn/, from);
    expect(withdrawn.at - killed).toBeLessThan(WITHDRAWN_WITHIN_MS);
    await lineLike(/^router .*\+ 127\.10\.10\.53\/32 +announced/, from);
    expect(roles()["dns"]?.restarts).toBe(restarts + 1);
    const { out } = await stitch("explain", "dns");
    expect(out).toMatch(/UP -> DOWN: the service's lease stream ended/);
  });

  test("withdraws the route of a hung resolver when its lease times out", async () => {
    const { pid } = await resolver();
    const from = lines.length;
    process.kill(pid, "SIGSTOP");
    const hung = performance.now();
    const withdrawn = await lineLike(/^router .*- 127\.10\.10\.53\/32 +withdrawn/, from).finally(() =>
      process.kill(pid, "SIGCONT"),
    );
    expect(withdrawn.at - hung).toBeLessThan(1_000);
    await lineLike(/^router .*\+ 127\.10\.10\.53\/32 +announced/, from);
  });

  test("holds an operator's drain of the last origin, and returns", async () => {
    const from = lines.length;
    const drained = await stitch("drain", "ntp", "--reason", "CHG-1", "--json");
    expect(JSON.parse(drained.out)).toMatchObject([{ service: "ntp", state: "DRAINING", wish: "last-resort" }]);
    await lineLike(/^router .*\+ 127\.10\.10\.123\/32 +announced.*last resort/, from);
    await lineLike(/it stays on last resort/, from);
    const back = await stitch("undrain", "ntp", "--json");
    expect(JSON.parse(back.out)).toMatchObject([{ state: "UP", wish: "normal" }]);
  });

  test("explains why a domain name is answered as it is", async () => {
    const { code, out } = await stitch("explain", "intranet.corp.stitch.test");
    expect(code).toBe(0);
    expect(out).toMatch(/worker 1 of 1\nintranet\.corp\.stitch\.test\. belongs to route corp\.stitch\.test/);
    expect(out).toMatch(/upstream 127\.10\.10\.54:5300 is up/);
    expect((await stitch("explain", "no.route.example")).out).toContain("no route and no local data");
  });

  test("takes a new VIP by a reload, and lets it go after a drain, without its session ending", async () => {
    const file = join(state, "stitch", "site.yaml");
    const before = readFileSync(file, "utf8");
    const sessions = async (): Promise<number | undefined> =>
      (JSON.parse((await stitch("status", "--json")).out) as { peers: { session: { established: number } }[] }).peers[0]
        ?.session.established;
    const established = await sessions();
    const from = lines.length;
    writeFileSync(file, `${before}    - { prefix: 127.10.20.1/32, service: gpu, check: { tcp: "127.0.0.1:8153" } }\n`);
    expect(await stitch("reload")).toMatchObject({
      code: 0,
      out: "resolver: nothing has changed\nannouncer: with 127.10.20.1/32 (gpu)",
    });
    await lineLike(/^router .*\+ 127\.10\.20\.1\/32 +announced/, from);
    writeFileSync(file, before);
    expect(await stitch("reload")).toMatchObject({
      code: 1,
      err: expect.stringMatching(/is announced; drain it first/),
    });
    await stitch("drain", "gpu", "--force");
    await lineLike(/^router .*- 127\.10\.20\.1\/32 +withdrawn/, from);
    expect(await stitch("reload")).toMatchObject({
      code: 0,
      out: "resolver: nothing has changed\nannouncer: without 127.10.20.1/32 (gpu)",
    });
    writeFileSync(file, before.replace("asn: 65101", "asm: 65101"));
    expect(await stitch("reload", "-c", file)).toMatchObject({ code: 2 });
    writeFileSync(file, before);
    expect(await sessions()).toBe(established);
    const gone = lines.slice(from).filter(({ text }) => /^router .*- 127\.10\.(10|5)\./.test(text));
    expect(gone).toEqual([]);
  });

  test("stores what it is told and gives it back", async () => {
    const { code, out } = await stitch("logs", "--since", "10m", "stitch-try");
    expect(code).toBe(0);
    expect(out).toMatch(/stitch-try-[0-9a-f]{12}/);
  });

  test.each([
    [["drain", "gpu"], 1, /no such VIP; this site has dns, syslog, ntp/],
    [["drain"], 2, /stitch drain needs a VIP, a service or all/],
    [["status", "--force"], 2, /stitch status does not take --force/],
    [["statsu"], 2, /no such command: statsu/],
    [["status", "-c", "/nowhere.yaml"], 2, /\/nowhere\.yaml: no such file/],
    [["up", "--forward", "somewhere"], 2, /--forward takes "system" or an address/],
    [["up"], 2, /cannot bind tcp 127\.10\.10\.179:1790/],
  ])("stitch %j is refused with a sentence", async (args, exitCode, text) => {
    const { code, out, err } = await stitch(...args);
    expect(`${out}${err}`).toMatch(text);
    expect(code).toBe(exitCode);
  });

  test("stops on SIGTERM: routes first, then services, exit 0", async () => {
    const from = lines.length;
    const exited = new Promise<number | null>((resolve) => void site.once("exit", (code) => resolve(code)));
    site.kill("SIGTERM");
    expect(await exited).toBe(0);
    const text = lines.slice(from).map((line) => line.text);
    const withdrawn = text.findIndex((line) => /^router .*- 127\.10\.10\.53\/32/.test(line));
    const stopped = text.findIndex((line) => /^dns .*exited with 0/.test(line));
    expect(withdrawn).toBeGreaterThan(-1);
    expect(stopped).toBeGreaterThan(withdrawn);
  }, 60_000);
});
