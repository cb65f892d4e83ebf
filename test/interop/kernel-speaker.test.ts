import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { STITCH } from "@stitch/cli/program";
import { deleteNamespace, makeNamespace, peer, type Namespace } from "@stitch/peers";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { describeUnless, lacking } from "../lacking.ts";

// The announcer with its kernel speaker and a real service, in a network namespace: what ends up in the kernel's tables.
const lacks = await lacking({ namespaces: true });

const SOON = { timeout: 20_000, interval: 20 };
const NORMAL = "10.10.10.123 dev lo scope link metric 20";

/** The pid that the announcer journalled last for its watchdog: a child of it, so that no stranger is meant. */
async function watchdogOf(folder: string, announcer: ChildProcess): Promise<number> {
  const journal = await readFile(join(folder, "journal.jsonl"), "utf8");
  const pid = Number([...journal.matchAll(/"watchdog-started","detail":"pid (\d+),/g)].at(-1)?.[1]);
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  expect(status).toContain(`PPid:\t${announcer.pid}\n`);
  return pid;
}

/** `learn` takes routes that others made; what it learns keeps the kernel's metric. */
const BIRD = `router id 10.3.1.10;
protocol device { }
protocol kernel { learn; scan time 1; ipv4 { import where krt_source = 199; export none; }; }
protocol ospf v2 ospf1 {
  ipv4 {
    import all;
    export filter {
      if source != RTS_INHERIT then reject;
      if krt_metric = 16777214 then ospf_metric2 = 16777214; else ospf_metric2 = 20;
      accept;
    };
  };
  area 0 { interface "to-tor" { type ptp; }; };
}
`;

function vipSix(address: string, service: string): string {
  return `{ prefix: "${address}/128", service: ${service}, check: { lease: "http://127.0.0.1:8123" } }`;
}

describeUnless(lacks, "the kernel speaker", () => {
  let namespace: Namespace;
  let folder: string;
  const processes = new Set<ChildProcess>();

  const ip = async (...words: string[]): Promise<string> => {
    const [file = "", ...args] = namespace.enter(["ip", ...words]);
    return (await execa(file, args)).stdout.trim().replaceAll(/ +/g, " ").replaceAll(" \n", "\n");
  };
  const ours = (): Promise<string> => ip("route", "show", "table", "main", "proto", "199");
  const routeIs = (text: string): Promise<void> => vi.waitFor(async () => expect(await ours()).toBe(text), SOON);
  /** The VIP of ntp, and others. */
  const writeSite = (more: readonly string[]): Promise<void> =>
    writeFile(
      join(folder, "site.yaml"),
      `site: nyc
ntp: { listen: ["10.10.10.123:123"], health: "127.0.0.1:8123", clock: local }
announcer:
  asn: 65101
  routerId: 10.1.0.10
  control: ${JSON.stringify(join(folder, "announcer.sock"))}
  drain: { time: 300ms, max: 600ms }
  kernel: { watchdog: 1s }
  vips:
    - { prefix: 10.10.10.123/32, service: ntp, holdDown: 100ms, check: { lease: "http://127.0.0.1:8123" } }
${more.map((vip) => `    - ${vip}\n`).join("")}`,
    );
  const journalled = (pattern: RegExp): Promise<void> =>
    vi.waitFor(async () => expect(await readFile(join(folder, "journal.jsonl"), "utf8")).toMatch(pattern), SOON);
  /** `nsenter` becomes the program, so the pid is the program's. */
  const start = (role: string): ChildProcess => {
    const [file = "", ...args] = namespace.enter([
      process.execPath,
      STITCH,
      "run",
      role,
      "-c",
      join(folder, "site.yaml"),
    ]);
    const child = spawn(file, args, { stdio: "ignore" });
    processes.add(child);
    return child;
  };
  const end = async (child: ChildProcess, signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, "exit");
      child.kill(signal);
      await exited;
    }
    processes.delete(child);
  };

  beforeAll(async () => {
    namespace = await makeNamespace("kernel");
    folder = await mkdtemp(join(tmpdir(), "stitch-kernel-"));
    await ip("route", "add", "local", "10.10.10.123", "dev", "lo");
    await writeSite([]);
  });
  // A test that failed half-way leaves nothing to the next, nor to its own second try.
  afterEach(async () => {
    for (const child of processes) await end(child, "SIGKILL");
    await writeSite([]);
    for (const name of ["drains.json", "journal.jsonl"]) await rm(join(folder, name), { force: true });
    await ip("route", "flush", "table", "main", "proto", "199");
    await ip("route", "delete", "local", "10.10.20.1", "dev", "lo").catch(() => undefined);
    await ip("link", "delete", "to-tor").catch(() => undefined);
  });
  afterAll(async () => {
    if (namespace !== undefined) await deleteNamespace(namespace);
    await rm(folder, { recursive: true, force: true });
  });

  test("announces a service that proves itself, and only while it does", async () => {
    const announcer = start("announcer");
    let service = start("ntp");
    await routeIs(NORMAL);
    await end(service, "SIGKILL");
    await routeIs("");
    service = start("ntp");
    await routeIs(NORMAL);
    // Planned: last resort first, which every routing daemon can tell from the normal route.
    await execa(process.execPath, [STITCH, "drain", "ntp", "-c", join(folder, "site.yaml")]);
    await routeIs("blackhole 10.10.10.123 metric 16777214");
    // This machine's own delivery does not depend on which of the two is there.
    expect(await ip("route", "get", "10.10.10.123")).toMatch(/^local 10\.10\.10\.123 dev lo/);
    await execa(process.execPath, [STITCH, "undrain", "ntp", "-c", join(folder, "site.yaml")]);
    await routeIs(NORMAL);
    await end(service, "SIGKILL");
    await end(announcer, "SIGTERM");
    expect(await ours()).toBe("");
  });

  test("keeps the kernel as it should be: what is removed comes back, what is not wished goes", async () => {
    const [announcer, service] = [start("announcer"), start("ntp")];
    await routeIs(NORMAL);
    await ip("route", "del", "10.10.10.123/32", "proto", "199");
    await routeIs(NORMAL);
    await ip("route", "add", "10.9.9.9/32", "dev", "lo", "proto", "199");
    await ip("route", "add", "10.8.8.8/32", "dev", "lo", "proto", "static");
    await routeIs(NORMAL);
    expect(await ip("route", "show", "10.8.8.8")).not.toBe("");
    await end(announcer, "SIGTERM");
    expect(await ours()).toBe("");
    await end(service, "SIGKILL");
  });

  test("leaves no route behind when it is killed, nor while it is stopped, and has it back when it goes on", async () => {
    const service = start("ntp");
    let announcer = start("announcer");
    await routeIs(NORMAL);
    await end(announcer, "SIGKILL");
    await routeIs("");
    announcer = start("announcer");
    await routeIs(NORMAL);
    announcer.kill("SIGSTOP");
    await routeIs("");
    announcer.kill("SIGCONT");
    await routeIs(NORMAL);
    await end(announcer, "SIGKILL");
    await routeIs("");
    expect(await ip("route", "get", "10.10.10.123")).toMatch(/^local/);
    await end(service, "SIGKILL");
  });

  test("has a watchdog again when that is killed, and the new one does its work", async () => {
    const [announcer, service] = [start("announcer"), start("ntp")];
    await routeIs(NORMAL);
    const first = await vi.waitFor(() => watchdogOf(folder, announcer), SOON);
    process.kill(first, "SIGKILL");
    const second = await vi.waitFor(async () => {
      const pid = await watchdogOf(folder, announcer);
      expect(pid).not.toBe(first);
      return pid;
    }, SOON);
    expect(second).toBeGreaterThan(0);
    expect(await ours()).toBe(NORMAL);
    await end(announcer, "SIGKILL");
    await routeIs("");
    await end(service, "SIGKILL");
  });

  test("takes a VIP that a reload brings, and lets go of one that it takes: address, route and watchdog follow", async () => {
    const extra = "{ prefix: 10.10.20.1/32, service: web, check: { exec: [/bin/true], interval: 200ms } }";
    const route = "10.10.20.1 dev lo scope link metric 20";
    const service = start("ntp");
    let announcer = start("announcer");
    await routeIs(NORMAL);
    await writeSite([extra]);
    announcer.kill("SIGHUP");
    // The address is looked for at once, and found as soon as the machine has it.
    await journalled(/"kind":"reload","accepted":true,"detail":\["with 10\.10\.20\.1\/32 \(web\)"\]/);
    await journalled(/"said":"address","present":false,"detail":"10\.10\.20\.1 is not an address of this machine"/);
    await ip("route", "add", "local", "10.10.20.1", "dev", "lo");
    await routeIs([NORMAL, route].toSorted().join("\n"));
    // Nothing but the watchdog can remove them now, and it has been told of the new one by the reload.
    await end(announcer, "SIGKILL");
    await routeIs("");
    announcer = start("announcer");
    await routeIs([NORMAL, route].toSorted().join("\n"));
    // One that is announced is not reloaded away; drained, it is.
    await writeSite([]);
    announcer.kill("SIGHUP");
    await journalled(/"accepted":false.*10\.10\.20\.1\/32 is announced; drain it first/);
    await writeSite([extra]);
    await execa(process.execPath, [STITCH, "drain", "web", "--force", "-c", join(folder, "site.yaml")]);
    await routeIs(NORMAL);
    await writeSite([]);
    announcer.kill("SIGHUP");
    await journalled(/"accepted":true,"detail":\["without 10\.10\.20\.1\/32 \(web\)"\]/);
    // The watchdog forgets it too: while the announcer stands still, a route for it is somebody else's.
    announcer.kill("SIGSTOP");
    await routeIs("");
    await ip("route", "add", "10.10.20.1/32", "dev", "lo", "metric", "20", "proto", "199");
    await ip("route", "add", "10.10.10.123/32", "dev", "lo", "metric", "20", "proto", "199");
    await end(announcer, "SIGKILL");
    await routeIs(route);
    expect(await ip("route", "get", "10.10.20.1")).toMatch(/^local/);
    await end(service, "SIGKILL");
  }, 120_000);

  test("is understood by BIRD, which passes the normal route and the last resort on to OSPF with metrics apart", async () => {
    const [config, control] = [join(folder, "bird.conf"), join(folder, "bird.ctl")];
    await writeFile(config, BIRD);
    await ip("link", "add", "name", "to-tor", "type", "veth", "peer", "name", "tor");
    await ip("address", "add", "10.3.1.10/24", "dev", "to-tor");
    for (const device of ["to-tor", "tor"]) await ip("link", "set", device, "up");
    const bird = await peer("bird");
    const [file = "", ...args] = namespace.enter([bird.program("bird"), "-f", "-c", config, "-s", control]);
    const daemon = spawn(file, args, { stdio: "ignore", env: { ...process.env, ...bird.env } });
    processes.add(daemon);
    const exported = (pattern: RegExp): Promise<void> =>
      vi.waitFor(async () => {
        const command = ["-s", control, "show", "route", "export", "ospf1", "all"];
        expect((await execa(bird.program("birdc"), command, { env: bird.env })).stdout).toMatch(pattern);
      }, SOON);
    const [announcer, service] = [start("announcer"), start("ntp")];
    await exported(/10\.10\.10\.123\/32\s+unicast[^]*metric2: 20\b/);
    await execa(process.execPath, [STITCH, "drain", "ntp", "-c", join(folder, "site.yaml")]);
    await exported(/10\.10\.10\.123\/32\s+blackhole[^]*metric2: 16777214\b/);
    await end(service, "SIGKILL");
    await exported(/^(?![^]*10\.10\.10\.123)[^]*ready/);
    await end(announcer, "SIGKILL");
    await end(daemon, "SIGTERM");
  });

  test("finds an address of IPv6 in the local table, where binding cannot tell", async () => {
    await ip("-6", "route", "replace", "local", "fd00:10:10::123/128", "dev", "lo");
    const site = join(folder, "site6.yaml");
    const announcer = `asn: 65101, routerId: 10.1.0.10, control: ${JSON.stringify(join(folder, "six.sock"))}`;
    await writeFile(
      site,
      `site: nyc\nannouncer: { ${announcer}, kernel: {}, vips: [ ${vipSix("fd00:10:10::123", "ntp")}, ${vipSix("fd00:10:10::53", "dns")} ] }\n`,
    );
    const [file = "", ...args] = namespace.enter([process.execPath, STITCH, "run", "announcer", "-c", site]);
    const running = spawn(file, args, { stdio: "ignore" });
    processes.add(running);
    const service = start("ntp");
    await vi.waitFor(async () => {
      const shown = await ip("-6", "route", "show", "table", "main", "proto", "199");
      expect(shown).toBe("fd00:10:10::123 dev lo metric 20 pref medium");
    }, SOON);
    await end(running, "SIGKILL");
    await vi.waitFor(async () => expect(await ip("-6", "route", "show", "proto", "199")).toBe(""), SOON);
    await end(service, "SIGKILL");
  });
});
