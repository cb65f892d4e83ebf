import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { request, type ClientRequest } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ControlSocket } from "@stitch/health";
import type { Change } from "../src/reload/changes.ts";
import { openControl } from "../src/control.ts";
import { statusOf } from "../src/status.ts";
import { Scenario } from "./scenario.ts";

let directory: string;
let path: string;
let scenario: Scenario;
let control: ControlSocket;
let change: Change = { kind: "accepted", changes: [] };

function open(at: string): Promise<ControlSocket> {
  const { announcer, journal, clock } = scenario;
  return openControl({
    path: at,
    announcer,
    journal,
    status: () => statusOf(announcer, { service: "announcer", site: "nyc", instance: "nyc-1" }, clock, "192.0.2.1"),
    reload: () => change,
    metrics: () => Promise.resolve({ type: "text/plain", text: "up 1\n" }),
  });
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "stitch-control-"));
  path = join(directory, "announcer.sock");
  scenario = new Scenario();
  control = await open(path);
});

afterEach(async () => {
  await control.close();
  rmSync(directory, { recursive: true });
});

function call(method: string, url: string, body?: unknown): Promise<{ status: number; value: unknown }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { socketPath: path, method, path: url, headers: { "content-type": "application/json" } },
      (incoming) => {
        let text = "";
        incoming.setEncoding("utf8").on("data", (piece: string) => (text += piece));
        incoming.on("end", () => resolve({ status: incoming.statusCode ?? 0, value: JSON.parse(text) as unknown }));
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Opens /events; rejects with the status when it is refused. */
function watcher(): Promise<ClientRequest> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath: path, path: "/events", agent: false }, ({ statusCode }) => {
      if (statusCode === 200) return resolve(outgoing);
      outgoing.destroy();
      reject(new Error(String(statusCode)));
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}

/** A client that connects and says nothing. */
function connection(): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect({ path }, () => resolve(socket));
    socket.on("error", () => socket.destroy());
    socket.on("end", () => socket.destroy());
    socket.resume();
  });
}

describe("the control socket", () => {
  test("tells the whole status", async () => {
    const { status, value } = await call("GET", "/status");
    expect(status).toBe(200);
    expect(value).toMatchObject({
      site: "nyc",
      asn: 65_101,
      vips: [{ service: "dns", state: "INIT", wish: "none" }, { service: "syslog" }, { service: "web" }],
    });
  });

  test("drains and undrains by service name, and answers with what became of it", async () => {
    await scenario.run("peer 1 up");
    await scenario.run("report dns serving pass");
    await scenario.run("renew dns 3");
    const drained = await call("POST", "/drain", { target: "dns", reason: "CHG-1", for: "30m" });
    expect(drained.value).toMatchObject([
      { service: "dns", state: "DRAINING", drain: { reason: "CHG-1", returnsIn: 1_800_000 } },
    ]);
    const undrained = await call("POST", "/undrain", { target: "10.10.10.53" });
    expect(undrained.value).toMatchObject([{ service: "dns", state: "UP", wish: "normal" }]);
  });

  test("explains in sentences, the newest cause first", async () => {
    await scenario.run("peer 1 up");
    await scenario.run("report dns serving pass");
    await scenario.run("renew dns 3");
    await scenario.run("lost dns lease-closed");
    const { value } = await call("GET", "/explain?target=dns");
    const [lines = []] = value as string[][];
    expect(lines[0]).toMatch(/^10\.10\.10\.53\/32 \(dns\) is not announced: state DOWN, verdict unknown/);
    expect(lines).toContainEqual(expect.stringMatching(/It may not be announced again for .*hold-down/));
    const history = lines.filter((line) => line.startsWith("2026-"));
    expect(history[0]).toMatch(
      /UP -> DOWN: the service's lease stream ended: the process is gone \(scenario\); now not announced/,
    );
    expect(history.length).toBeGreaterThanOrEqual(3);
  });

  test("explains a router by its address, once for each session with it", async () => {
    await scenario.run("peer 1 up");
    const { value } = await call("GET", "/explain?target=192.0.2.101");
    expect(value).toEqual([expect.arrayContaining([expect.stringMatching(/^Peer 192\.0\.2\.101 port 179/)])]);
    expect(await call("GET", "/explain?target=192.0.2.199")).toMatchObject({ status: 404 });
  });

  test.each([
    ["GET", "/explain?target=gpu", undefined, 404, /no such VIP; this site has dns, syslog/],
    ["POST", "/drain", { target: "gpu" }, 404, /no such VIP/],
    ["POST", "/drain", { target: "dns", for: "soon" }, 400, /"soon" is not a duration/],
    ["POST", "/drain", { target: "dns", fro: "30m" }, 400, /fro/],
    ["POST", "/undrain", {}, 400, /target/],
  ])("%s %s %o is refused", async (method, url, body, status, text) => {
    const answer = await call(method, url, body);
    expect(answer.status).toBe(status);
    expect(JSON.stringify(answer.value).replaceAll("\\", "")).toMatch(text);
  });

  test("reads the file again, and says why where nothing was changed", async () => {
    change = { kind: "accepted", changes: ["with 10.10.20.1/32 (gpu)"] };
    expect(await call("POST", "/reload", {})).toEqual({ status: 200, value: change });
    change = { kind: "refused", problems: ["site.yaml:3: asm is no setting", "and another"] };
    const { status, value } = await call("POST", "/reload", {});
    expect([status, JSON.stringify(value)]).toEqual([
      409,
      expect.stringMatching(/nothing has been changed: site\.yaml:3/),
    ]);
  });

  test("refuses to take the socket of a living announcer", async () => {
    await expect(open(path)).rejects.toThrow(/another announcer is running here/);
  });

  test("replaces the socket that a killed announcer left behind", async () => {
    const left = join(directory, "left.sock");
    const script = `require("node:net").createServer().listen(${JSON.stringify(left)}, () => process.kill(process.pid, "SIGKILL"))`;
    expect(spawnSync(process.execPath, ["-e", script]).signal).toBe("SIGKILL");
    expect(existsSync(left)).toBe(true);
    const second = await open(left);
    await second.close();
    expect(existsSync(left)).toBe(false);
  });

  test.each([
    ["a file", (at: string) => writeFileSync(at, "precious")],
    ["a link to one", (at: string) => symlinkSync(join(directory, "elsewhere"), at)],
  ])("does not remove what is no socket: %s", async (_name, make) => {
    const at = join(directory, "site.yaml");
    writeFileSync(join(directory, "elsewhere"), "precious");
    make(at);
    await expect(open(at)).rejects.toThrow(/site\.yaml: is not a socket; set announcer\.control to another path/);
    expect(readFileSync(at, "utf8")).toBe("precious");
  });

  test("refuses a body that is larger than any request", async () => {
    const answer = await call("POST", "/drain", { target: "dns", reason: "x".repeat(20_000) });
    expect(answer.status).toBe(413);
  });

  test("gives a watcher's place back, however it left", async () => {
    for (let round = 0; round < 3; round += 1) {
      const watchers = await Promise.all(Array.from({ length: 32 }, watcher));
      await expect(watcher()).rejects.toThrow(/503/);
      expect((await call("GET", "/status")).status).toBe(200);
      for (const each of watchers) each.destroy();
      await vi.waitFor(async () => (await watcher()).destroy(), 5_000);
    }
  });

  test("turns connections away before they cost the descriptors that BGP needs", async () => {
    const idle = await Promise.all(Array.from({ length: 200 }, connection));
    await vi.waitFor(() => expect(idle.filter(({ destroyed }) => destroyed).length).toBeGreaterThanOrEqual(72), 5_000);
    for (const socket of idle) socket.destroy();
    await vi.waitFor(async () => expect((await call("GET", "/status")).status).toBe(200), 5_000);
  });

  test("says when the path is too long for a socket", async () => {
    await expect(open(join(directory, "x".repeat(120)))).rejects.toThrow(/longer than a Unix socket's path may be/);
  });
});
