import { fork } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

/** A service whose event loop waits for a reader stops renewing its lease, and loses its route. */
test("a log that nobody reads does not stop the event loop, and what is lost is said", async () => {
  const child = fork(join(import.meta.dirname, "child", "log-flood.ts"), {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  try {
    const beats = await new Promise<number>((resolve) => {
      child.on("message", (beat) => {
        if (Number(beat) >= 20) resolve(Number(beat));
      });
    });
    expect(beats).toBe(20);
    const output = await new Promise<string>((resolve) => {
      let text = "";
      child.stdout?.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
        if (text.includes("log lines were dropped")) resolve(text);
      });
    });
    const lines = output.split("\n").filter((line) => line.startsWith("{"));
    expect(lines.length).toBeGreaterThan(100);
    expect(lines.length).toBeLessThan(5_000);
    const drop = lines
      .map((line) => JSON.parse(line) as { dropped?: number })
      .find(({ dropped }) => dropped !== undefined);
    expect(drop?.dropped).toBeGreaterThan(1_000);
  } finally {
    child.kill("SIGKILL");
  }
}, 20_000);
