/** A resolver that keeps its cache, or gets that of another site: it answers what was known there, with nobody left to ask. */
import { createSocket, type Socket } from "node:dgram";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import dnsPacket from "dns-packet";
import { afterEach, expect, test, vi } from "vitest";
import { freePort } from "../free-port.ts";
import { RoleProcess } from "../role-process.ts";

const ADDRESS = "127.91.10.53";
const OTHER_SITE = "127.91.10.52";
const UPSTREAM = "127.91.10.54";
const POLL = { timeout: 60_000, interval: 50 };
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** Resolves when it serves. */
async function started(file: string): Promise<RoleProcess> {
  const resolver = new RoleProcess("dns-resolver", file);
  closers.push(() => resolver.end());
  await resolver.serving();
  return resolver;
}

async function answering(): Promise<{ socket: Socket; port: number }> {
  const socket = createSocket("udp4");
  socket.on("message", (query, { port, address }) => {
    const { id = 0, questions = [] } = dnsPacket.decode(query);
    const name = questions[0]?.name ?? ".";
    const answers: dnsPacket.Answer[] = [{ type: "A", name, ttl: 3_600, data: "192.0.2.77" }];
    socket.send(dnsPacket.encode({ type: "response", id, flags: 0x80, questions, answers }), port, address);
  });
  await new Promise<void>((resolve) => void socket.bind(0, UPSTREAM, resolve));
  return { socket, port: socket.address().port };
}

async function ask(port: number, name: string, address = ADDRESS): Promise<dnsPacket.DecodedPacket> {
  const socket = createSocket("udp4");
  const query = dnsPacket.encode({ type: "query", id: 5, flags: 0x100, questions: [{ type: "A", name }] });
  const again = setInterval(() => socket.send(query, port, address), 1_000);
  try {
    return await new Promise((resolve) => {
      socket.on("message", (bytes) => resolve(dnsPacket.decode(bytes)));
      socket.send(query, port, address);
    });
  } finally {
    clearInterval(again);
    socket.close();
  }
}

test("warm start: the cache outlives a restart, and a changed route's answers do not", async () => {
  const folder = mkdtempSync(join(tmpdir(), "stitch-warm-"));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
  const upstream = await answering();
  const [port, health] = [await freePort(ADDRESS), await freePort("127.0.0.1")];
  const file = join(folder, "site.yaml");
  const write = (other: string): void => {
    writeFileSync(
      file,
      `site: nyc
instance: nyc-1
dns:
  listen: ["${ADDRESS}:${port}"]
  health: "127.0.0.1:${health}"
  routes:
    - { zone: ".", upstreams: ["${UPSTREAM}:${upstream.port}"] }
    - { zone: other.test, upstreams: [${other}] }
  cache: { file: state/cache }
`,
    );
  };
  write(`"${UPSTREAM}:${upstream.port}"`);
  const first = await started(file);
  expect((await ask(port, "www.example")).answers).toMatchObject([{ data: "192.0.2.77" }]);
  expect((await ask(port, "www.other.test")).answers).toMatchObject([{ data: "192.0.2.77" }]);
  await first.stop();
  expect(readdirSync(join(folder, "state"))).toEqual(["cache.1"]);
  upstream.socket.close();
  write('"127.91.10.55:9"');
  const second = await started(file);
  expect(second.output).toMatch(/"taken":1,"dropped":1/);
  expect(existsSync(join(folder, "state", "cache.1"))).toBe(false);
  const { answers } = await ask(port, "www.example");
  expect(answers).toMatchObject([{ data: "192.0.2.77" }]);
  expect(answers?.[0] !== undefined && "ttl" in answers[0] && (answers[0].ttl ?? 0) < 3_600).toBe(true);
  expect((await ask(port, "www.other.test")).answers).toEqual([]);
  await second.stop();
});

interface Site {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly health: number;
  readonly upstream: string;
  readonly more: string;
}

/** Writes the file of a site; returns its path. */
function written(folder: string, { name, address, port, health, upstream, more }: Site): string {
  const file = join(folder, `${name}.yaml`);
  writeFileSync(
    file,
    `site: ${name}
instance: ${name}-1
dns:
  listen: ["${address}:${port}"]
  workers: ${process.platform === "linux" ? 2 : 1}
  health: "127.0.0.1:${health}"
  routes: [{ zone: ".", upstreams: ["${upstream}"] }]
${more}`,
  );
  return file;
}

async function metric(health: number, sample: RegExp): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${health}/metrics`)).text();
  return Number(new RegExp(`^${sample.source}.* (\\d+)$`, "m").exec(text)?.[1] ?? Number.NaN);
}

test("warm start from a sibling: a site answers at once what clients of another come back for", async () => {
  const folder = mkdtempSync(join(tmpdir(), "stitch-sibling-"));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
  const upstream = await answering();
  const [port, otherPort] = [await freePort(ADDRESS), await freePort(OTHER_SITE)];
  const [nyc, lon, dead] = [await freePort("127.0.0.1"), await freePort("127.0.0.1"), await freePort("127.0.0.1")];
  writeFileSync(join(folder, "secret"), "0123456789abcdef".repeat(4));
  writeFileSync(join(folder, "wrong"), "fedcba9876543210".repeat(4));
  const giver = written(folder, {
    name: "nyc",
    address: ADDRESS,
    port,
    health: nyc,
    upstream: `${UPSTREAM}:${upstream.port}`,
    more: "  warmFrom: { secret: secret }\n",
  });
  const taker = (more: string): string =>
    written(folder, {
      name: "lon",
      address: OTHER_SITE,
      port: otherPort,
      health: lon,
      upstream: "127.91.10.55:9",
      more,
    });
  const siblings = `siblings: ["127.0.0.1:${dead}", "127.0.0.1:${nyc}"]`;
  const first = await started(giver);
  // Whichever worker a question comes to, each gets some of them again.
  for (let i = 0; i < 16; i += 1)
    expect((await ask(port, "www.example")).answers).toMatchObject([{ data: "192.0.2.77" }]);
  upstream.socket.close();

  const stranger = await started(taker(`  warmFrom: { ${siblings}, secret: wrong }\n`));
  expect(stranger.output).toContain(`(127.0.0.1:${dead} unreachable, 127.0.0.1:${nyc} refused)`);
  expect((await ask(otherPort, "www.example", OTHER_SITE)).answers).toEqual([]);
  await stranger.stop();

  const second = await started(taker(`  warmFrom: { ${siblings}, secret: secret }\n`));
  expect(second.output).toMatch(/"sibling":"127.0.0.1:\d+","taken":[12],.*"warm start from a sibling"/);
  for (let i = 0; i < 8; i += 1) {
    const { answers } = await ask(otherPort, "www.example", OTHER_SITE);
    expect(answers).toMatchObject([{ data: "192.0.2.77" }]);
    expect(answers?.[0] !== undefined && "ttl" in answers[0] && (answers[0].ttl ?? 0) <= 3_600).toBe(true);
  }
  expect(await metric(lon, /stitch_dns_cache_pulled_total/)).toBeGreaterThanOrEqual(1);
  expect(await metric(lon, /stitch_dns_queries_total\{reason="cached"/)).toBe(8);
  const given = (result: string): Promise<number> =>
    metric(nyc, new RegExp(`stitch_dns_cache_given_total\\{result="${result}"`));
  await vi.waitFor(async () => expect([await given("served"), await given("forbidden")]).toEqual([1, 1]), POLL);
  await second.stop();
  await first.stop();

  const alone = await started(taker(""));
  expect((await fetch(`http://127.0.0.1:${lon}/cache`)).status).toBe(404);
  await alone.stop();
});
