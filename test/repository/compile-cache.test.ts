/** What the images fill their compile cache with: all that a role loads, in its threads too, or each start compiles the rest anew. */
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { STITCH } from "@stitch/cli/program";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ROOT } from "./tree.ts";

const folder = mkdtempSync(join(tmpdir(), "stitch-compile-cache-"));
const env = { ...process.env, NODE_COMPILE_CACHE: join(folder, "cache") };
const SITE = `site: nyc
dns: { listen: ["127.0.0.1:0"], health: "127.0.0.1:0", workers: 2 }
ntp: { listen: ["127.0.0.1:0"], health: "127.0.0.1:0", clock: local }
syslog: { listen: ["udp://127.0.0.1:0"], health: "127.0.0.1:0", store: { path: ${JSON.stringify(join(folder, "store"))} } }
`;

beforeAll(async () => {
  writeFileSync(join(folder, "site.yaml"), SITE);
  for (const argv of [[join(ROOT, "docker/image/fill-compile-cache.js")], [STITCH, "--help"]])
    await promisify(execFile)(process.execPath, argv, { env });
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each(["dns", "ntp", "syslog"])(
  "%s finds every module there",
  async (role) => {
    const child = spawn(process.execPath, [STITCH, "run", role, "-c", join(folder, "site.yaml")], {
      env: { ...env, NODE_DEBUG_NATIVE: "COMPILE_CACHE" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ended = new Promise((resolve) => void child.once("close", resolve));
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
    try {
      await vi.waitFor(() => expect(output).toContain('"phase":"serving"'), { timeout: 60_000, interval: 20 });
    } finally {
      child.kill("SIGKILL");
      await ended;
    }
    expect(output.match(/ was accepted/g)?.length).toBeGreaterThan(300);
    expect(output.match(/.*no such file or directory.*/g) ?? []).toEqual([]);
  },
  120_000,
);
