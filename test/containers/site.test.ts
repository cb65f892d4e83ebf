import { join } from "node:path";
import { SystemClock, seconds } from "@stitch/clock";
import { until } from "@stitch/lab";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { compose, type Compose, type Docker, docker } from "./docker.ts";
import { ROOT } from "./engine.ts";

const FILES = join(import.meta.dirname);
const PROJECT = "stitch-test";
const SERVICES = ["dns", "syslog", "ntp"] as const;
const ROLES = [...SERVICES, "announcer"] as const;
const VIPS = { dns: "10.10.10.53", syslog: "10.10.5.14", ntp: "10.10.10.123" } as const;

const clock = new SystemClock();
const run: Docker = docker(inject("engine"));
const site: Compose = compose(inject("engine"), {
  name: PROJECT,
  files: [join(ROOT, "docker/compose.yaml"), join(FILES, "compose.test.yaml")],
  variables: { STITCH_SITE: join(FILES, "site"), STITCH_TEST_FILES: FILES, STITCH_TEST_ROOT: ROOT },
});

const containerOf = (service: string): string => `${PROJECT}_${service}_1`;
const inside = (service: string, ...argv: readonly string[]): Promise<string> =>
  run(["exec", containerOf(service), ...argv]);
const flood = (port: number, address: string, hex: string): Promise<string> =>
  inside("client", "node", "-e", FLOOD, String(port), address, hex);
/** A field of `docker inspect`. */
const fact = (service: string, field: string): Promise<string> =>
  run(["inspect", "--format", `{{${field}}}`, containerOf(service)]);

interface RouterPath {
  readonly community?: { readonly string: string };
}
/** What the router has heard of an address; no path when it was withdrawn. */
async function heard(address: string): Promise<readonly RouterPath[]> {
  const text = await inside("router", "vtysh", "-c", `show bgp ipv4 unicast ${address}/32 json`);
  return (JSON.parse(text) as { paths?: readonly RouterPath[] }).paths ?? [];
}
function announced(service: keyof typeof VIPS): Promise<true> {
  return until(clock, `${VIPS[service]} to be announced`, seconds(60), async () =>
    (await heard(VIPS[service])).length > 0 ? true : undefined,
  );
}

/** What the client behind the router lives through when it asks the resolver 200 times and more. */
async function answers(): Promise<{ readonly sent: number; readonly lost: number }> {
  const probe = join(ROOT, "lab/src/probe/dns.ts");
  const said = await inside("client", "node", probe, VIPS.dns, "53", "whoami.stitch.test");
  const record = JSON.parse(said.trim().split("\n").at(-1) ?? "{}") as { sent: number[]; answered: number[] };
  return { sent: record.sent.length, lost: record.answered.filter((time) => time < 0).length };
}

beforeAll(async () => {
  await site("up", "--detach", "--no-build");
  await Promise.all(SERVICES.map(announced));
});
afterAll(() => site("down", "--volumes", "--timeout", "1"));

describe("one site by compose", () => {
  test("answers on its three addresses through the router", async () => {
    const { sent, lost } = await answers();
    expect(sent).toBeGreaterThanOrEqual(200);
    expect(lost).toBe(0);
    const ntp = await inside("client", "node", join(ROOT, "lab/src/probe/ntp.ts"), VIPS.ntp, "123");
    expect(JSON.parse(ntp)).toMatchObject({ answered: true, mode: 4 });
    const send = `require("dgram").createSocket("udp4").send("<14>hello from the client", 514, "${VIPS.syslog}", () => process.exit(0))`;
    await inside("client", "node", "-e", send);
    await until(clock, "the message to be stored", seconds(20), async () => {
      const stored = await inside("syslog", "stitch", "logs", "hello from the client");
      return stored.includes("hello from the client") ? true : undefined;
    });
  });

  test.each(ROLES)("%s is healthy, says Docker", async (role) => {
    const status = await until(clock, `${role} to be judged`, seconds(60), async () => {
      const now = await fact(role, ".State.Health.Status");
      return now === "starting" ? undefined : now;
    });
    expect(status).toBe("healthy");
  });

  test.each(ROLES)("%s has no right to anything: every process of it", async (role) => {
    const fields = "^(Uid|Gid|Groups|Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp):";
    const said = await inside(role, "sh", "-c", `grep -hE '${fields}' /proc/[0-9]*/status`);
    const lines = said.split("\n").map((line) => line.replace(/\s+/g, " ").trim());
    expect(lines.length).toBeGreaterThan(15);
    const allowed = new Set([
      "Uid: 65532 65532 65532 65532",
      "Gid: 65532 65532 65532 65532",
      "Groups:",
      "Groups: 65532",
      ...["Inh", "Prm", "Eff", "Bnd", "Amb"].map((name) => `Cap${name}: 0000000000000000`),
      "NoNewPrivs: 1",
      "Seccomp: 2",
    ]);
    expect(lines.filter((line) => !allowed.has(line))).toEqual([]);
  });

  test.each(ROLES)("%s cannot write to its root, nor to its own programs", async (role) => {
    for (const folder of ["/", "/etc", "/opt/stitch", "/usr/local/bin", "/etc/stitch"])
      expect(await inside(role, "sh", "-c", `touch ${folder}/x 2>&1 || true`)).toMatch(/Read-only file system/);
  });

  test("the container with NET_ADMIN did its work and is gone; nobody else may change an address", async () => {
    expect(await fact("addresses", ".State.Status")).toBe("exited");
    expect(await fact("addresses", ".State.ExitCode")).toBe("0");
    await expect(inside("announcer", "ip", "address", "add", "10.9.9.9/32", "dev", "lo")).rejects.toThrow(
      /Operation not permitted/,
    );
  });

  test("answers an operator who types nothing but the question", async () => {
    expect(await inside("announcer", "stitch", "status")).toMatch(/dns\s+10\.10\.10\.53\/32\s+announced/);
    expect(await inside("announcer", "stitch", "explain", "dns")).toContain("10.10.10.53/32");
    expect(await inside("syslog", "stitch", "try")).toContain("10.10.10.53");
  });

  test("keeps below its memory limits under load, and nobody is killed for memory", async () => {
    await Promise.all([
      flood(53, VIPS.dns, DNS_QUERY),
      flood(514, VIPS.syslog, SYSLOG_MESSAGE),
      flood(123, VIPS.ntp, NTP_REQUEST),
    ]);
    for (const role of ROLES) {
      const limit = Number(await fact(role, ".HostConfig.Memory"));
      const peak = Number(await inside(role, "sh", "-c", PEAK));
      process.stderr.write(`${role}: at most ${(peak / 1e6).toFixed(0)} MB of ${(limit / 1e6).toFixed(0)} MB\n`);
      expect(limit).toBeGreaterThan(0);
      expect(peak).toBeLessThan(limit);
      expect(await fact(role, ".State.OOMKilled")).toBe("false");
      expect(await fact(role, ".RestartCount")).toBe("0");
    }
    expect((await answers()).lost).toBeLessThan(10);
  });

  test("the announcer is replaced alone: the services stay, and the routes come back", async () => {
    const began = await fact("dns", ".State.StartedAt");
    await site("restart", "announcer");
    await Promise.all(SERVICES.map(announced));
    expect(await fact("dns", ".State.StartedAt")).toBe(began);
  });

  test("a killed service loses its route, is started again, and gets it back", async () => {
    await inside(
      "ntp",
      "sh",
      "-c",
      "kill -KILL $(grep -lE '^Name:.*(node|stitch|MainThread)' /proc/[0-9]*/status | grep -oE '[0-9]+' | grep -vx 1)",
    );
    await until(clock, "the route of a dead service to go", seconds(20), async () =>
      (await heard(VIPS.ntp)).length === 0 ? true : undefined,
    );
    await announced("ntp");
    expect(Number(await fact("ntp", ".RestartCount"))).toBe(1);
  });

  test("after a power cut `up` puts everything in place again: addresses, services, routes", async () => {
    const containers = ["network", ...ROLES].map(containerOf);
    await run(["kill", ...containers]);
    await site("up", "--detach", "--no-build");
    await Promise.all(SERVICES.map(announced));
    expect((await answers()).lost).toBe(0);
  });

  test("a stopped service drains: last resort, withdrawal, and only then its end, with 0", async () => {
    const stopped = site("stop", "dns");
    await until(clock, "the last resort", seconds(20), async () =>
      (await heard(VIPS.dns)).some(({ community }) => /graceful-?shutdown/i.test(community?.string ?? ""))
        ? true
        : undefined,
    );
    const { sent, lost } = await answers();
    expect(sent).toBeGreaterThanOrEqual(200);
    expect(lost).toBe(0);
    await until(clock, "the withdrawal", seconds(20), async () =>
      (await heard(VIPS.dns)).length === 0 ? true : undefined,
    );
    // It lingers for a second after its withdrawal.
    expect(await fact("dns", ".State.Running")).toBe("true");
    await stopped;
    expect(await fact("dns", ".State.ExitCode")).toBe("0");
    expect(await heard(VIPS.syslog)).toHaveLength(1);
  });

  test("`stop` ends the services before the announcer, everything with 0, and leaves no route", async () => {
    await site("stop", ...ROLES);
    expect(await Promise.all(ROLES.map((role) => fact(role, ".State.ExitCode")))).toEqual(["0", "0", "0", "0"]);
    const ended = await Promise.all(ROLES.map(async (role) => Date.parse(await fact(role, ".State.FinishedAt"))));
    expect(Math.max(...ended)).toBe(ended[ROLES.indexOf("announcer")]);
    expect((await Promise.all(Object.values(VIPS).map(heard))).flat()).toEqual([]);
  });
});

describe("a memory limit", () => {
  test("is enforced by this engine: what would take more is killed", async () => {
    const hog = "const all = []; for (;;) all.push(Buffer.alloc(1e6, 1));";
    const argv = [
      "run",
      "--rm",
      "--network",
      "none",
      "--memory",
      "96m",
      "--entrypoint",
      "node",
      "stitch-dns:0.1.0",
      "-e",
      hog,
    ];
    await expect(run(argv)).rejects.toThrow(/exit code 137/);
  });
});

/** The highest memory use of a container, by control groups of version 1 or 2. */
const PEAK = "cat /sys/fs/cgroup/memory/memory.max_usage_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.peak";

/** As many datagrams as it can send in five seconds, each with a number where it has zeros. */
const FLOOD = `
const [port, address, hex] = process.argv.slice(1);
const socket = require("dgram").createSocket("udp4"), end = Date.now() + 5000;
const marked = Buffer.from(hex, "hex").indexOf("0000000"), place = marked < 0 ? 40 : marked;
let n = 0;
const send = () => {
  if (Date.now() > end) return process.stdout.write(String(n), () => process.exit(0));
  for (let i = 0; i < 64; i++) {
    const packet = Buffer.from(hex, "hex");
    packet.write(String(n++ % 1e7).padStart(7, "0"), place);
    socket.send(packet, Number(port), address);
  }
  setImmediate(send);
};
send();`;
/** 0000000.stitch.test TXT, with the number in the name: every question is another. */
const DNS_QUERY = Buffer.concat([
  Buffer.from("000100000001000000000000", "hex"),
  Buffer.from("\u00070000000\u0006stitch\u0004test\u0000\u0000\u0010\u0000\u0001", "latin1"),
]).toString("hex");
const SYSLOG_MESSAGE = Buffer.from(`<14>1 - client flood - - - 0000000 ${"x".repeat(200)}`).toString("hex");
const NTP_REQUEST = Buffer.from([0x23, ...Array.from({ length: 47 }, () => 0)]).toString("hex");
