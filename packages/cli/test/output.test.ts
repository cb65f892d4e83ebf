import { spawn } from "node:child_process";
import { PassThrough } from "node:stream";
import { describe, expect, test, vi } from "vitest";
import { Output } from "../src/supervisor/output.ts";

describe("the supervisor's output", () => {
  test("drops what nobody reads, and says how much when somebody does", async () => {
    const stream = new PassThrough();
    const output = new Output(stream);
    const line = "x".repeat(1_023);
    for (let i = 0; i < 5_000; i += 1) output.print(line);
    expect(stream.writableLength).toBeLessThan(1.1 * 2 ** 20);
    const text: string[] = [];
    stream.setEncoding("utf8").on("data", (piece: string) => void text.push(piece));
    await vi.waitFor(
      () => expect(text.join("")).toMatch(/stitch: \d{4} lines were dropped here: nobody read them\n$/),
      5_000,
    );
    output.print("again");
    await vi.waitFor(() => expect(text.at(-1)).toBe("again\n"), 5_000);
  });

  test("outlives its reader", () => {
    const stream = new PassThrough();
    const output = new Output(stream);
    stream.emit("error", new Error("EPIPE"));
    output.print("to nobody");
    expect(stream.writableLength).toBe(0);
  });

  test("goes on turning while the pipe behind it is full", async () => {
    const script = `
      const { Output } = await import(${JSON.stringify(new URL("../src/supervisor/output.ts", import.meta.url).href)});
      const output = new Output(process.stdout);
      let turns = 0;
      const timer = setInterval(() => {
        for (let i = 0; i < 1_000; i += 1) output.print("x".repeat(1_000));
        if (++turns === 20) { process.stderr.write("still turning"); process.exit(0); }
      }, 5);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script]); // nobody reads its stdout
    child.stdout.pause();
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => void (said += text));
    await vi.waitFor(() => expect(said).toBe("still turning"), 5_000);
    child.kill("SIGKILL");
  });
});
