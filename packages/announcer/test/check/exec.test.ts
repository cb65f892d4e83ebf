import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { SystemClock } from "@stitch/clock";
import { execProbe, OUTPUT_KEPT } from "../../src/check/exec.ts";

const clock = new SystemClock();
const temporary = mkdtempSync(join(tmpdir(), "stitch-exec-"));
afterAll(() => rmSync(temporary, { recursive: true }));

const SHELL = "/bin/sh";
const limit = (): AbortSignal => AbortSignal.timeout(20_000);

function sh(script: string, degradedExit?: number): ReturnType<ReturnType<typeof execProbe>> {
  return execProbe({ command: [SHELL, "-c", script], degradedExit }, clock)(limit());
}

test("exit code 0 passes, the named one degrades, any other fails, with the last line as detail", async () => {
  expect(await sh("exit 0")).toEqual({ verdict: "pass", detail: "exit code 0" });
  expect(await sh("echo one; echo two >&2")).toEqual({ verdict: "pass", detail: "two" });
  expect(await sh("echo disk slow; exit 1", 1)).toEqual({ verdict: "degraded", detail: "exit code 1: disk slow" });
  expect(await sh("echo disk gone; exit 2", 1)).toEqual({ verdict: "fail", detail: "exit code 2: disk gone" });
  expect(await sh("kill -KILL $$")).toEqual({ verdict: "fail", detail: "ended by SIGKILL" });
});

test("an argument is not read by a shell, and what would upset a terminal is blanked", async () => {
  const probe = execProbe({ command: ["/bin/echo", "$(exit 3)", "\u001B[2J"], degradedExit: undefined }, clock);
  expect(await probe(limit())).toEqual({ verdict: "pass", detail: "$(exit 3)  [2J" });
});

test("a command that is not there is a failure that names it", async () => {
  await expect(execProbe({ command: ["/nonexistent/check"], degradedExit: undefined }, clock)(limit())).rejects.toThrow(
    "/nonexistent/check: ENOENT",
  );
});

test("of much output the end is kept", async () => {
  const { verdict, detail } = await sh(
    "i=0; while [ $i -lt 3000 ]; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; i=$((i+1)); done; echo end",
  );
  expect([verdict, detail]).toEqual(["pass", "end"]);
  expect((await sh(`printf '%${OUTPUT_KEPT * 3}s' x`)).detail.length).toBeLessThanOrEqual(OUTPUT_KEPT);
});

test("at its end its children end too, and one that holds the pipe is not waited for", async () => {
  const abort = new AbortController();
  const file = join(temporary, "pid");
  const command = [SHELL, "-c", `sleep 600 & echo $! > ${file}.new; mv ${file}.new ${file}; wait`] as const;
  const result = execProbe({ command, degradedExit: undefined }, clock)(abort.signal);
  await expect.poll(() => existsSync(file), { timeout: 20_000 }).toBe(true);
  abort.abort();
  expect(await result).toEqual({ verdict: "fail", detail: "ended by SIGKILL" });
  const child = Number(readFileSync(file, "utf8"));
  expect(child).toBeGreaterThan(1);
  await expect.poll(() => alive(child), { timeout: 20_000 }).toBe(false);
  expect(await sh("sleep 2 & exit 0")).toEqual({ verdict: "pass", detail: "exit code 0" });
});

/** A zombie that nobody has reaped yet has ended. */
function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch {
    return false;
  }
}

function isZombie(pid: number): boolean {
  return process.platform === "linux" && /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
}
