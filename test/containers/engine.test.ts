import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { SystemClock, seconds } from "@stitch/clock";
import { until } from "@stitch/lab";
import { isAlive } from "@stitch/peers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SCRATCH } from "./engine.ts";
import { refusal } from "./refusal.ts";
import { differences } from "./machine.ts";

const clock = new SystemClock();
let data = "";
beforeAll(() => void (data = mkdtempSync(join(SCRATCH, "killed-"))));
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

test("who is told to end, ends what he started and what that started, and goes on to clean up", async () => {
  const program = `
    import { Processes } from ${JSON.stringify(join(import.meta.dirname, "processes.ts"))};
    const processes = new Processes(process.cwd(), () => undefined);
    const ok = await processes.run(["sh", "-c", "sleep 1000 & echo $!; wait"], 60000, {});
    process.stdout.write(JSON.stringify({ ok }));`;
  const runner = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said] = (await once(runner.stdout, "data")) as [Buffer];
  const grandchild = Number(said.toString());
  expect(isAlive(grandchild)).toBe(true);
  runner.kill("SIGTERM");
  const [last] = (await once(runner.stdout, "data")) as [Buffer];
  expect(last.toString()).toBe('{"ok":false}');
  await until(clock, "the grandchild to end", seconds(20), async () => (isAlive(grandchild) ? undefined : true));
});

test.each([
  ["unshare: unshare failed: Operation not permitted", /may not make namespaces/],
  ["failed to mount overlay: no such device storage-driver=overlay2", /overlayfs/],
  ["Devices cgroup isn't mounted", /control groups/],
  ["failed to create NAT chain DOCKER: iptables failed: iptables v1.8.9 (nf_tables)", /packet filter/],
  ["Failed to create bridge docker0 via netlink: operation not supported", /bridges/],
])("where the machine is the reason, a sentence says so: %s", (complaint, sentence) => {
  expect(refusal(complaint).split("\n")[0]).toMatch(sentence);
  expect(refusal(complaint)).toContain(complaint);
});

test("what nobody knows is passed on in the engine's own words", () => {
  expect(refusal("")).toBe("Docker Engine did not start\nit said nothing");
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
