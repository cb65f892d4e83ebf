import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { SystemClock } from "@stitch/clock";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { Cache } from "../src/cache.ts";
import { packImage, WORD } from "../src/cache/image.ts";
import { ClientBudget } from "../src/client-budget.ts";
import { REASONS } from "../src/reasons.ts";
import { TcpListener } from "../src/tcp-listener.ts";
import { failed } from "../src/upstream/exchange.ts";
import { Frames } from "../src/wire/frames.ts";
import { decodeMessage } from "../src/wire/message.ts";
import { expandName } from "../src/wire/name.ts";
import { respond } from "./fake-upstream.ts";
import { bench, client, decoded, queryFor, view, zoneFrom } from "./fixtures.ts";
import { rig, upstream, whenDone } from "./rig.ts";

/** What strangers may send, and what they get for it. */
describe("over UDP", () => {
  test("what is longer than any query gets nothing, whatever it holds", async () => {
    const { ask, count, port } = await rig([]);
    const socket = createSocket("udp4");
    whenDone({ close: async () => void socket.close() });
    socket.send(Buffer.concat([queryFor("localhost"), Buffer.alloc(2_048)]), port, "127.88.0.1");
    await vi.waitFor(() => expect(count("oversized")).toBe(1), { timeout: 20_000 });
    expect(decoded(await ask(queryFor("localhost"))).rcode).toBe("NOERROR");
    expect([count("oversized"), count("malformed")]).toEqual([1, 0]);
  });

  const strings = Array.from({ length: 8 }, (_, i) => `"${String(i).padEnd(150, "x")}"`);
  const zone = zoneFrom(`$ORIGIN a.test.
$TTL 60
@ SOA ns x 1 1 1 1 30
long TXT ${strings.join(" ")}
short TXT ${strings.slice(0, 2).join(" ")}
`);

  test.each([
    ["long", 1_300, true], // fits what it offers, and no packet that is whole everywhere
    ["long", 65_535, true],
    ["short", 100, false], // RFC 6891 section 6.2.3: as if it were 512
    ["short", 0, false],
  ])("an answer for %s to a client that offers %i octets is cut: %s", (name, size, cut) => {
    const { ask } = bench([zone]);
    const reply = ask(queryFor(`${name}.a.test`, { type: "TXT", edns: { size } })) ?? new Uint8Array();
    expect(decoded(reply).flag_tc).toBe(cut);
    expect(reply.length).toBeLessThanOrEqual(1_232);
  });

  test("who is over his budget gets no more than he sent, though he asks who answers", () => {
    const peer = client(10, 1, 2, 3);
    const budget = new ClientBudget({ perSecond: 1, slip: 1, exempt: [], seed: 1 });
    const allow = [{ family: "ipv4", address: "10.0.0.0", length: 8 }] as const;
    const { ask, resolver } = bench([], [], { allow, budget });
    const query = queryFor("localhost", { edns: { nsid: true } });
    const replies = Array.from({ length: 40 }, () => [ask(query, { peer })?.length, REASONS[resolver.reason]] as const);
    const slipped = replies.filter(([, reason]) => reason === "rate-slipped");
    expect(slipped.length).toBeGreaterThan(10);
    for (const [length = 0] of slipped) expect(length).toBeLessThanOrEqual(query.length);
  });
});

/** How many of so many connections from each of these addresses are taken. */
async function taken(workers: number, addresses: number, each: number): Promise<number> {
  const local = { address: "127.88.0.1", port: 0 };
  const clock = new SystemClock();
  const listener = await TcpListener.open({ local, workers, clock, admits: () => true, onQuery: () => {} });
  whenDone(listener);
  for (let i = 0; i < addresses * each; i += 1) {
    const socket = connect({ port: listener.port, host: "127.88.0.1", localAddress: `127.88.1.${i % addresses}` });
    socket.on("error", () => socket.destroy());
    whenDone({ close: async () => void socket.destroy() });
  }
  const { counters } = listener;
  await vi.waitFor(() => expect(counters.accepted + counters.refused).toBe(addresses * each), { timeout: 20_000 });
  return counters.accepted;
}

describe("over TCP", () => {
  test("many clients together have 256 connections, or the share of each worker", async () => {
    expect(await taken(1, 9, 30)).toBe(256);
    expect(await taken(64, 2, 3)).toBe(4);
  });

  test("one client has four connections of each worker at least: the kernel deals them out unevenly", async () => {
    expect(await taken(32, 1, 6)).toBe(4);
  });

  test("a connection is not read while 64 of its queries wait", async () => {
    const held: (() => void)[] = [];
    const fake = await upstream({ udp: (query, send) => held.push(() => send(respond(query))) });
    const { ask, port, server } = await rig([fake]);
    const socket = connect(port, "127.88.0.1");
    whenDone({ close: async () => void socket.destroy() });
    let received = 0;
    socket.on("data", (chunk) => void (received += chunk.length));
    for (let i = 0; i < 100; i += 1) {
      const query = queryFor(`n${String(i).padStart(3, "0")}.example`);
      socket.write(Buffer.concat([Buffer.of(0, query.length), query]));
    }
    await vi.waitFor(() => expect(held).toHaveLength(64), { timeout: 20_000 });
    for (let i = 0; i < 20; i += 1) await ask(queryFor("localhost"));
    expect(server.forwarder.inFlight).toBe(64);
    const size = 2 + respond(Buffer.from(queryFor("n000.example"))).length - "n000.example".length;
    await vi.waitFor(
      () => {
        for (const answer of held.splice(0)) answer();
        expect(received).toBeGreaterThanOrEqual(100 * size);
      },
      { timeout: 20_000 },
    );
  });

  test("a message that comes octet by octet is put together now and then, not for each: few pieces, little copying", () => {
    const joined = vi.spyOn(Buffer, "concat");
    onTestFinished(() => joined.mockRestore());
    const frames = new Frames();
    const bytes = Buffer.alloc(2 + 60_000);
    bytes.writeUInt16BE(60_000, 0);
    let found = 0;
    for (const byte of bytes) {
      frames.push(Uint8Array.of(byte));
      if (frames.next() !== undefined) found += 1;
    }
    expect(found).toBe(1);
    expect(joined.mock.calls.length).toBeGreaterThan(60_000 / 512);
    expect(joined.mock.calls.length).toBeLessThan(60_000 / 128);
  });
});

function isRead(records: number): boolean {
  const answers = Array.from({ length: records }, () => ({ type: "A", name: "a", ttl: 1, data: "192.0.2.1" }) as const);
  return decodeMessage(Uint8Array.from(respond(Buffer.from(queryFor("a")), { answers }))).ok;
}

describe("a response", () => {
  test("of 500 records is read, and of more is not: each costs offsets and a walk", () => {
    expect([isRead(500), isRead(501)]).toEqual([true, false]);
  });

  // CVE-2024-8508 class
  test("whose names jump through 127 pointers is read, and through more is not", () => {
    const pointers = Array.from({ length: 128 }, (_, i) => [0xc0, i === 0 ? 0 : 2 * i - 1]).flat();
    const bytes = Uint8Array.from([0, ...pointers]);
    const jumping = (jumps: number): boolean => expandName(bytes, 2 * jumps - 1, bytes.length).ok;
    expect([jumping(1), jumping(127), jumping(128)]).toEqual([true, true, false]);
  });
});

test("names that share a place in one process do not in another: nobody can prepare them", () => {
  const query = view(queryFor("www.example"));
  const message = Uint8Array.from([...new Uint8Array(12), ...query.key.subarray(0, query.keyLength)]);
  const image = packImage({ message, nameLength: query.nameLength, ttlsAt: [], negative: false }, 0);
  const hashes = [1, 2, 3].map((seed) => {
    const cache = new Cache({ size: 2 ** 20, staleSeconds: 0, seed });
    return cache.slab.words[(cache.store(image, query, 0, 0, 60) >>> 2) + WORD.hash];
  });
  expect(new Set(hashes).size).toBe(3);
});

test("answers of local data take 4 MiB at most, whatever names strangers make up in it", () => {
  const before = process.memoryUsage().arrayBuffers;
  const { resolver } = bench(); // with a cache of 1 MiB
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(12 * 2 ** 20);
  expect(resolver.cache.entries).toBe(0);
});

// What is ours says nothing about the upstream; what stays until somebody acts must be said in health.
test.each([
  ["EMFILE", "no-socket"],
  ["ENOBUFS", "no-socket"],
  ["EADDRINUSE", "no-socket"],
  ["ENETUNREACH", "unreachable"],
  ["EADDRNOTAVAIL", "unreachable"],
  ["EPERM", "unreachable"],
])("a question that comes back with %s is %s", (code, kind) => {
  expect(failed(code)).toEqual({ kind, code });
});
