import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seconds, SystemClock } from "@stitch/clock";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { RoleChange } from "../src/supervisor/role-process.ts";
import { Supervisor, type RoleSpec } from "../src/supervisor/supervisor.ts";

const LIVES =
  "process.on('SIGTERM', () => { console.log('bye'); process.exit(0); }); console.log('here'); setInterval(() => {}, 1000)";
const DEAF = "process.on('SIGTERM', () => {}); console.log('here'); setInterval(() => {}, 1000)";

let directory: string;
let supervisor: Supervisor | undefined;
let lines: string[];
let changes: [string, RoleChange][];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "stitch-supervisor-"));
  lines = [];
  changes = [];
});

afterEach(async () => {
  await supervisor?.stop();
  rmSync(directory, { recursive: true });
});

function supervise(specs: readonly RoleSpec[], stopLimit = seconds(10), runDirectory = directory): Supervisor {
  supervisor = new Supervisor({
    roles: specs,
    clock: new SystemClock(),
    runDirectory,
    stopLimit,
    onLine: (name, line) => void lines.push(`${name}: ${line}`),
    onChange: (name, change) => void changes.push([name, change]),
  });
  supervisor.start();
  return supervisor;
}

function role(name: string, script: string, wave = 0): RoleSpec {
  return { name, argv: ["-e", script], wave };
}

function roles(): Record<string, { pid: number | null; restarts: number }> {
  return JSON.parse(readFileSync(join(directory, "roles.json"), "utf8")) as never;
}

function restarts(): unknown[] {
  return changes.flatMap(([, change]) => (change.kind === "exited" ? [change.restartIn] : []));
}

describe("the supervisor", () => {
  test("tells in roles.json who runs with which pid", async () => {
    supervise([role("dns", LIVES), role("ntp", LIVES)]);
    await vi.waitFor(() => expect(lines).toEqual(expect.arrayContaining(["dns: here", "ntp: here"])), 10_000);
    const { dns, ntp } = roles();
    expect([dns?.restarts, ntp?.restarts]).toEqual([0, 0]);
    expect(dns?.pid).toBe(supervisor?.pidOf("dns"));
    expect(dns?.pid).not.toBe(ntp?.pid);
  });

  test("restarts a killed role, counts it, and leaves the others alone", async () => {
    supervise([role("dns", LIVES), role("ntp", LIVES)]);
    await vi.waitFor(() => expect(lines).toHaveLength(2), 10_000);
    const before = roles();
    const pid = before["dns"]?.pid;
    if (!pid) throw new Error("the role does not run");
    process.kill(pid, "SIGKILL");
    await vi.waitFor(() => expect(roles()["dns"]?.restarts).toBe(1), 10_000);
    expect(roles()["dns"]?.pid).not.toBe(before["dns"]?.pid);
    expect(roles()["ntp"]).toEqual(before["ntp"]);
    expect(changes).toContainEqual(["dns", { kind: "exited", code: null, signal: "SIGKILL", restartIn: 250 }]);
  });

  test("waits longer each time for a role that keeps dying", async () => {
    supervise([role("dns", "process.exit(1)")]);
    await vi.waitFor(() => expect(restarts().slice(0, 3)).toEqual([250, 500, 1_000]), 15_000);
  });

  test("does not restart a role that says it cannot run as configured", async () => {
    supervise([role("dns", "process.exit(2)")]);
    await vi.waitFor(() => expect(changes.map(([, { kind }]) => kind)).toEqual(["started", "unusable"]), 10_000);
    expect(roles()["dns"]?.pid).toBeNull();
  });

  test("stops wave by wave", async () => {
    const site = supervise([role("announcer", LIVES, 1), role("dns", LIVES, 0)]);
    await vi.waitFor(() => expect(lines).toHaveLength(2), 10_000);
    await site.stop();
    expect(changes.flatMap(([name, { kind }]) => (kind === "exited" ? [name] : []))).toEqual(["dns", "announcer"]);
    expect(lines.filter((line) => line.endsWith("bye"))).toHaveLength(2);
  });

  test("kills a role that does not stop within the limit", async () => {
    const site = supervise([role("dns", DEAF)], seconds(0.2));
    await vi.waitFor(() => expect(lines).toHaveLength(1), 10_000);
    await site.stop();
    expect(changes.at(-1)).toEqual(["dns", { kind: "exited", code: null, signal: "SIGKILL", restartIn: undefined }]);
  });

  test("goes on trying to start a role that cannot be started, and still stops", async () => {
    const { execPath } = process;
    process.execPath = join(directory, "no-such-node");
    let site: Supervisor;
    try {
      site = supervise([role("dns", LIVES)]);
      await vi.waitFor(() => expect(changes.map(([, { kind }]) => kind)).toContain("exited"), 10_000);
      expect(lines[0]).toMatch(/^dns: could not be started: .*ENOENT/);
    } finally {
      process.execPath = execPath;
    }
    await vi.waitFor(() => expect(lines).toContain("dns: here"), 10_000);
    await site.stop();
    expect(changes.at(-1)).toEqual(["dns", { kind: "exited", code: 0, signal: null, restartIn: undefined }]);
  });

  test("does not fall with a disk that refuses roles.json, and says so once", async () => {
    writeFileSync(join(directory, "file"), "");
    supervise([role("dns", "process.exit(1)")], seconds(10), join(directory, "file"));
    await vi.waitFor(() => expect(changes.filter(([, { kind }]) => kind === "exited")).toHaveLength(3), 10_000);
    expect(lines.filter((line) => /roles\.json cannot be written/.test(line))).toHaveLength(1);
  });

  test("leaves no orphan when it is killed", async () => {
    const script = `
      const { Supervisor } = await import(${JSON.stringify(new URL("../src/supervisor/supervisor.ts", import.meta.url).href)});
      const { SystemClock, seconds } = await import(${JSON.stringify(import.meta.resolve("@stitch/clock"))});
      const orphan = "process.on('disconnect', () => process.exit(0)); setInterval(() => {}, 1000)";
      new Supervisor({
        roles: [{ name: "dns", argv: ["-e", orphan], wave: 0 }],
        clock: new SystemClock(), runDirectory: ${JSON.stringify(directory)}, stopLimit: seconds(1),
        onLine: () => {}, onChange: () => {},
      }).start();`;
    const parent = spawn(process.execPath, ["--input-type=module", "-e", script]);
    await vi.waitFor(() => expect(roles()["dns"]?.pid).toBeGreaterThan(0), 10_000);
    const pid = roles()["dns"]?.pid ?? 0;
    parent.kill("SIGKILL");
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow(/ESRCH/), 10_000);
  });

  test("hands over a role's output by lines, however it is cut, and bounds a line without end", async () => {
    const talk = `
      process.stdout.write("ha"); setTimeout(() => process.stdout.write("lf\\n\\u00e9"), 50);
      setTimeout(() => process.stdout.write("x".repeat(1_000_000) + "\\nlast without newline"), 100);
      setTimeout(() => process.exit(1), 500)`;
    supervise([role("dns", talk)]);
    await vi.waitFor(() => expect(lines).toContain("dns: last without newline"), 10_000);
    expect(lines[0]).toBe("dns: half");
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(200_000);
  });
});
