import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { closingLine, counts, type Report } from "../report.ts";

// The runners' own parts: what `npm test` counts, and how it ends when it is told to.

function report(statuses: readonly string[]): Report {
  return {
    numPassedTests: statuses.filter((status) => status === "passed").length,
    numFailedTests: statuses.filter((status) => status === "failed").length,
    testResults: [
      { name: "a.test.ts", assertionResults: statuses.map((status) => ({ fullName: `is ${status}`, status })) },
    ],
  };
}

describe("the closing line", () => {
  const mixed = [{ ok: false, report: report(["passed", "passed", "failed", "skipped"]) }];

  test("counts a skipped test as failed in CI, and tells of it elsewhere", () => {
    expect(closingLine(counts(mixed, true), true)).toBe("2 passed, 2 failed");
    expect(closingLine(counts(mixed, false), false)).toBe("2 passed, 1 failed, 1 skipped");
    expect(counts(mixed, true).skipped).toEqual(["a.test.ts: is skipped"]);
  });

  test("counts a suite that ended badly without a failed test, or without a report, as one failure each", () => {
    const outcomes = [
      { ok: false, report: report(["passed"]) },
      { ok: false, report: undefined },
    ];
    expect(closingLine(counts(outcomes, true), true)).toBe("1 passed, 2 failed");
  });

  test("adds up the suites", () => {
    const outcomes = [
      { ok: true, report: report(["passed"]) },
      { ok: true, report: report(["passed", "passed"]) },
    ];
    expect(closingLine(counts(outcomes, true), true)).toBe("3 passed, 0 failed");
  });
});

describe("a runner that is told to end", () => {
  const CHILD = `process.on("SIGTERM", () => setTimeout(() => (process.stdout.write("cleaned up\\n"), process.exit(0)), 200));
    setInterval(() => undefined, 1000); process.stdout.write("runs\\n");`;
  const RUNNER = `
    import { Children } from ${JSON.stringify(join(import.meta.dirname, "../children.ts"))};
    await new Children(process.cwd()).run(process.execPath, ["-e", ${JSON.stringify(CHILD)}]);
    process.stdout.write("went on\\n");`;

  test("tells its program, waits until that has cleaned up, and ends with 1", async () => {
    const runner = spawn(process.execPath, ["--input-type=module", "-e", RUNNER], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    runner.stdout.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said === "runs\n") runner.kill("SIGTERM");
    });
    const [code] = (await once(runner, "close")) as [number];
    expect({ code, said }).toEqual({ code: 1, said: "runs\ncleaned up\n" });
  });
});
