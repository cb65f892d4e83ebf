import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SystemClock, seconds } from "@stitch/clock";
import { until } from "@stitch/lab";
import { isAlive } from "@stitch/peers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { differences } from "./machine.ts";

const clock = new SystemClock();
let data = "";
beforeAll(() => void (data = mkdtempSync(join(tmpdir(), "stitch-killed-"))));
afterAll(() => rmSync(data, { recursive: true, force: true }));

test("an engine ends with the process that started it, even when that is killed", async () => {
  const program = `
    import { startEngine } from ${JSON.stringify(join(import.meta.dirname, "engine.ts"))};
    const { pid } = await startEngine("own", ${JSON.stringify(data)});
    process.stdout.write(pid + "\\n");
    setInterval(() => undefined, 1000);`;
  const starter = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const [said] = (await once(starter.stdout, "data")) as [Buffer];
    const engine = Number(said.toString());
    expect(readFileSync(`/proc/${engine}/comm`, "utf8").trim()).toBe("dockerd");
    starter.kill("SIGKILL");
    const ended = await until(clock, "the engine to end", seconds(30), async () =>
      isAlive(engine) ? undefined : true,
    );
    expect(ended).toBe(true);
  } finally {
    starter.kill("SIGKILL"); // its engine ends with it
  }
});

test("the comparison of the machine sees what came and what went", () => {
  const before = { links: "1: lo\n2: eth0", sysctls: "a = 1" };
  expect(differences(before, before)).toEqual([]);
  expect(differences(before, { links: "1: lo\n3: docker0\n2: eth0", sysctls: "a = 0" })).toEqual([
    "links: + 3: docker0",
    "sysctls: - a = 1",
    "sysctls: + a = 0",
  ]);
});
