/** A file is changed under a running announcer: what is the same in both files is not touched, as two routers see it. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { STITCH } from "@stitch/cli/program";
import { BgpListener, formatPrefix, TcpTransport, type SessionEvent } from "@stitch/bgp-speaker";
import { SystemClock } from "@stitch/clock";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { freePort } from "../free-port.ts";

const WITHIN = { timeout: 30_000, interval: 20 };
const TOKENS = ["0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"] as const;

/** A router that takes every session and writes down what it hears. */
class Router {
  readonly address: string;
  readonly heard: string[] = [];
  readonly #listener: BgpListener;

  constructor(address: string) {
    this.address = address;
    this.#listener = new BgpListener({
      local: { asn: 65_100, routerId: address },
      clock: new SystemClock(),
      transport: new TcpTransport(),
      random: Math.random,
      peers: "any",
      watchAll: 100,
      onEvent: (event) => this.#note(event),
    });
  }

  listen(): Promise<void> {
    return this.#listener.listen(this.address, 0);
  }

  get port(): number {
    return this.#listener.port ?? 0;
  }

  close(): Promise<void> {
    return this.#listener.close();
  }

  #note(event: SessionEvent): void {
    if (event.kind === "path") this.heard.push(`${event.path ? "+" : "-"} ${formatPrefix(event.prefix)}`);
    if (event.kind === "state" && event.to === "Established") this.heard.push("established");
    if (event.kind === "state" && event.from === "Established") this.heard.push("lost");
  }
}

const first = new Router("127.40.0.2");
const second = new Router("127.40.0.3");
/** What the checks connect to. */
let service: Server;
let directory: string;
let announcer: ChildProcess;
let output = "";

interface Changed {
  readonly peers?: readonly Router[];
  readonly vips?: readonly string[];
  readonly rise?: number;
  readonly junk?: string;
}

function write({ peers = [first], vips = ["127.40.10.53"], rise = 1, junk = "" }: Changed): void {
  const target = `127.40.0.9:${(service.address() as AddressInfo).port}`;
  const routers = peers.map(
    ({ address, port }) => `    - { address: ${address}, port: ${port}, asn: 65100, localAddress: 127.40.0.1 }\n`,
  );
  const announced = vips.map(
    (vip, i) =>
      `    - { prefix: ${vip}/32, service: s${i}, rise: ${rise}, check: { tcp: "${target}", interval: 200ms } }\n`,
  );
  const text = `site: flow
instance: flow-1
announcer:
  asn: 65101
  routerId: 127.40.0.1
  control: ${JSON.stringify(join(directory, "announcer.sock"))}
  remote: { listen: "127.40.0.1:${remotePort}", token: "file:token" }
  drain: { time: 100ms, max: 1s }
${junk}  peers:
${routers.join("")}  vips:
${announced.join("")}`;
  writeFileSync(join(directory, "site.yaml"), text);
}

async function stitch(command: string): Promise<{ readonly code: number | undefined; readonly text: string }> {
  const argv = [STITCH, command, "-c", join(directory, "site.yaml")];
  const { exitCode: code, all: text } = await execa(process.execPath, argv, { reject: false, all: true });
  return { code, text };
}

async function statusBy(token: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}` };
  return (await fetch(`http://127.40.0.1:${remotePort}/status`, { headers })).status;
}

let remotePort: number;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "stitch-reload-"));
  service = createServer((socket) => void socket.on("error", () => socket.destroy()).end());
  await new Promise<void>((resolve) => void service.listen(0, "127.40.0.9", resolve));
  await first.listen();
  await second.listen();
  remotePort = await freePort("127.40.0.1");
  writeFileSync(join(directory, "token"), TOKENS[0]);
  write({});
  const argv = [STITCH, "run", "announcer", "-c", join(directory, "site.yaml")];
  announcer = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "pipe"] });
  for (const stream of [announcer.stdout, announcer.stderr])
    stream?.setEncoding("utf8").on("data", (text: string) => void (output += text));
  await vi.waitFor(() => expect([first.heard, output]).toEqual([["established", "+ 127.40.10.53/32"], output]), WITHIN);
});

afterAll(async () => {
  const gone = new Promise<void>((resolve) => void announcer?.once("exit", () => resolve()));
  if (announcer?.exitCode === null && announcer.kill("SIGKILL")) await gone;
  await first.close();
  await second.close();
  service?.close();
  rmSync(directory, { recursive: true, force: true });
});

test("a bad file changes nothing and says why, to who asked and in the journal", async () => {
  write({ junk: "  drian: {}\n", peers: [second] });
  const refused = await stitch("reload");
  expect(refused).toMatchObject({ code: 2, text: expect.stringMatching(/drian.*did you mean "drain"/) as string });
  announcer.kill("SIGHUP");
  await vi.waitFor(() => expect(journal()).toMatch(/"kind":"reload","accepted":false.*drian/), WITHIN);
  expect([first.heard, second.heard]).toEqual([["established", "+ 127.40.10.53/32"], []]);
});

test("a route that routers hear is not reloaded away", async () => {
  write({ vips: ["127.40.10.54"] });
  const refused = await stitch("reload");
  expect(refused).toMatchObject({ code: 1, text: expect.stringContaining("drain it first") as string });
  expect(first.heard).toEqual(["established", "+ 127.40.10.53/32"]);
});

test("a VIP, a router, a policy and a token come without a word to the router that has nothing to do with them", async () => {
  write({ peers: [first, second], vips: ["127.40.10.53", "127.40.10.54"], rise: 2 });
  writeFileSync(join(directory, "token"), TOKENS[1]);
  const { code, text } = await stitch("reload");
  expect([code, text.split("\n").toSorted()]).toEqual([
    0,
    ["127.40.10.53/32 (s0) by another policy", "with 127.40.10.54/32 (s1)", `with peer 127.40.0.3 port ${second.port}`],
  ]);
  await vi.waitFor(
    () => expect(second.heard.toSorted()).toEqual(["+ 127.40.10.53/32", "+ 127.40.10.54/32", "established"]),
    WITHIN,
  );
  expect(first.heard).toEqual(["established", "+ 127.40.10.53/32", "+ 127.40.10.54/32"]);
  expect([await statusBy(TOKENS[0]), await statusBy(TOKENS[1])]).toEqual([401, 200]);
  expect(journal()).toMatch(/"kind":"reload","accepted":true/);
});

test("a router that is taken out hears a withdrawal by its session's end, and the other one nothing", async () => {
  write({ peers: [first], vips: ["127.40.10.53", "127.40.10.54"], rise: 2 });
  expect(await stitch("reload")).toMatchObject({ code: 0, text: `without peer 127.40.0.3 port ${second.port}` });
  await vi.waitFor(() => expect(second.heard).toContain("lost"), WITHIN);
  expect(first.heard).toEqual(["established", "+ 127.40.10.53/32", "+ 127.40.10.54/32"]);
});

function journal(): string {
  return readFileSync(join(directory, "journal.jsonl"), "utf8");
}
