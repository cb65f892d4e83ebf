import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

const MAIN = new URL("../src/main.ts", import.meta.url).href;
const RUN = `
const { SiteDocument } = await import(${JSON.stringify(import.meta.resolve("@stitch/config"))});
const { main } = await import(${JSON.stringify(MAIN)});
process.exit(await main(SiteDocument.load(process.argv[1]), { dryRun: process.argv[2] === "dry" }));
`;

let directory: string;
let announcer: ChildProcess | undefined;
let output: string;
/** The router: it takes connections and says nothing. */
let router: Server;
let connections: number;
/** Further settings of the announcer, as lines of its section. */
let settings: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "stitch-announcer-"));
  output = "";
  connections = 0;
  settings = "";
  router = createServer((socket) => {
    connections += 1;
    socket.on("error", () => socket.destroy());
    socket.resume();
  });
  return new Promise<void>((resolve) => void router.listen(0, "127.30.0.2", resolve));
});

afterEach(() => {
  announcer?.kill("SIGKILL");
  rmSync(directory, { recursive: true });
  router.close();
});

function start(...options: string[]): Promise<number | null> {
  const site = join(directory, "site.yaml");
  writeFileSync(
    site,
    `site: nyc
announcer:
  asn: 65101
  routerId: 127.30.0.1
  control: ${JSON.stringify(join(directory, "announcer.sock"))}
${settings}  peers: [ { address: 127.30.0.2, port: ${(router.address() as AddressInfo).port}, asn: 65100 } ]
  vips: [ { prefix: 127.30.0.53/32, service: dns, check: { lease: "http://127.30.0.3:9" } } ]
`,
  );
  const child = spawn(process.execPath, ["--input-type=module", "-e", RUN, site, ...options], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  announcer = child;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => void (output += text));
  }
  return new Promise((resolve) => void child.once("exit", (code) => resolve(code)));
}

async function started(): Promise<void> {
  await vi.waitFor(() => expect(output).toContain('"msg":"started"'), { timeout: 10_000, interval: 10 });
}

describe("the announcer as a process", () => {
  test("takes one Ctrl-C that arrives several times for one wish: it drains, journals, and ends with 0", async () => {
    const exit = start();
    await started();
    for (let i = 0; i < 5; i += 1) announcer?.kill(i % 2 === 0 ? "SIGINT" : "SIGTERM");
    expect([await exit, output]).toEqual([0, expect.stringContaining('"msg":"stopped"')]);
    expect(readFileSync(join(directory, "journal.jsonl"), "utf8")).toContain("announcer-stopping");
  });

  test("reads its file again on SIGHUP; a bad one changes nothing, and the journal says why", async () => {
    const exit = start();
    await started();
    const site = join(directory, "site.yaml");
    const good = readFileSync(site, "utf8");
    writeFileSync(site, good.replace("asn: 65100", "asm: 65100"));
    announcer?.kill("SIGHUP");
    await vi.waitFor(() => expect(output).toMatch(/unknown setting \\"asm\\"; did you mean \\"asn\\"/), 10_000);
    writeFileSync(site, good.replace("service: dns", "rise: 5, service: dns"));
    announcer?.kill("SIGHUP");
    await vi.waitFor(() => expect(output).toContain("127.30.0.53/32 (dns) by another policy"), 10_000);
    announcer?.kill("SIGTERM");
    expect(await exit).toBe(0);
    const journal = readFileSync(join(directory, "journal.jsonl"), "utf8");
    expect(journal.match(/"accepted":(true|false)/g)).toEqual(['"accepted":false', '"accepted":true']);
  });

  test("runs dry beside one that runs for real: journals, holds its own socket, and speaks to no router", async () => {
    void start();
    await started();
    const real = announcer;
    await vi.waitFor(() => expect(connections).toBeGreaterThan(0), 10_000);
    const own = join(directory, "journal.jsonl");
    await vi.waitFor(() => expect(readFileSync(own, "utf8")).toContain("lease-refused"), 10_000);
    real?.kill("SIGSTOP"); // so that every further connection is the dry run's
    output = "";
    connections = 0;
    const exit = start("dry");
    await started();
    expect(output).toContain("nothing is announced");
    await vi.waitFor(() => expect(output).toContain("lease-refused"), 10_000);
    announcer?.kill("SIGTERM");
    expect(await exit).toBe(0);
    expect(connections).toBe(0);
    const journal = readFileSync(join(directory, "journal.jsonl.dry-run"), "utf8");
    expect(journal).toContain("announcer-stopping");
    expect(journal).not.toContain('"kind":"update"');
    expect(readFileSync(own, "utf8")).not.toContain("announcer-stopping");
    real?.kill("SIGKILL");
  });

  test("ends with 2 and a sentence when its remote control cannot listen, and leaves no socket behind", async () => {
    writeFileSync(join(directory, "token"), "0123456789abcdef0123456789abcdef");
    settings = `  remote: { listen: "192.0.2.1:8179", token: "file:token" }\n`; // RFC 5737: nobody's
    expect(await start()).toBe(2);
    expect(output).toMatch(/announcer\.remote: cannot listen on 192\.0\.2\.1 port 8179 \(EADDRNOTAVAIL\)/);
    expect(existsSync(join(directory, "announcer.sock"))).toBe(false);
  });

  test("ends with 2 and a sentence when another announcer holds the control socket", async () => {
    void start();
    await started();
    const first = announcer;
    output = "";
    expect(await start()).toBe(2);
    first?.kill("SIGKILL");
    expect(output).toMatch(/another announcer is running here; stop it first/);
  });
});
