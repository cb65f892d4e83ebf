/** The goal in full: 20 reloads, one a second, while dnsperf asks 20,000 questions a second. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { peer } from "@stitch/peers";
import { expect, test } from "vitest";
import { ADDRESS, ReloadedResolver } from "../flow/reloads/resolver.ts";

const RATE = 20_000;
const RELOADS = 20;
const SECONDS = 24;

test("20 reloads under 20,000 queries a second lose none", async () => {
  const resolver = await ReloadedResolver.start();
  const folder = mkdtempSync(join(tmpdir(), "stitch-reload-load-"));
  try {
    const names = join(folder, "names");
    const hot = Array.from({ length: 1_000 }, (_, i) => [
      `n${i}.test A`,
      "www.reload.test A",
      `n${i % 20}.other.test A`,
    ]);
    writeFileSync(names, `${hot.flat().join("\n")}\n`);
    const dnsperf = await peer("dnsperf");
    const options = { s: ADDRESS, p: resolver.port, d: names, Q: RATE, l: SECONDS, c: 16, T: 1, q: 4_000, t: 5 };
    const argv = Object.entries(options).flatMap(([flag, value]) => [`-${flag}`, String(value)]);
    const asked = run(dnsperf.program("dnsperf"), argv, dnsperf.env);
    for (let n = 1; n <= RELOADS; n += 1) {
      await new Promise((resolve) => setTimeout(resolve, 1_000)); // a pace, not a wait
      resolver.write(n);
      await resolver.reload("reload done");
    }
    const text = await asked;
    process.stdout.write(text);
    const figure = (name: RegExp): number => Number(name.exec(text)?.[1] ?? Number.NaN);
    expect(figure(/Queries lost:\s+(\d+)/)).toBe(0);
    expect(figure(/Queries per second:\s+([\d.]+)/)).toBeGreaterThan(0.95 * RATE);
    expect(text).toMatch(/NOERROR \d+ \(100\.00%\)/);
  } finally {
    await resolver.end();
    rmSync(folder, { recursive: true, force: true });
  }
});

function run(file: string, argv: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(file, [...argv], { env }, (failure, stdout) => (failure === null ? resolve(stdout) : reject(failure)));
  });
}
