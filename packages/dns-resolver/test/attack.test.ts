import { createSocket } from "node:dgram";
import { describe, expect, test, vi } from "vitest";
import type { Packet } from "dns-packet";
import { respond } from "./fake-upstream.ts";
import { bench, dataOf, queryFor, type Bench } from "./fixtures.ts";
import { rig, upstream, whenDone } from "./rig.ts";
import { storedFor } from "./stored.ts";

const FORGED: Partial<Packet> = { answers: [{ type: "A", name: "x", ttl: 86_400, data: "203.0.113.66" }] };
const GENUINE = ["192.0.2.7"];

function withId(message: Buffer, id: number): Buffer {
  message.writeUInt16BE(id & 0xffff, 0);
  return message;
}

// The loop of Kaminsky's attack (CVE-2008-1447): a new name each time, and a flood of guesses while it is asked for.
describe("a blind forger gets no answer cached", () => {
  test("who sends from the upstream's own address and port: three guesses a question are looked at, then TCP is asked", async () => {
    const guesses = 40;
    const fake = await upstream({
      udp: (query, send) => {
        const id = query.readUInt16BE(0);
        for (let i = 1; i <= guesses; i += 1) send(withId(respond(query, FORGED), id + i));
        send(respond(query, FORGED)); // the right id, too late
      },
      tcp: respond,
    });
    const { ask, count, server } = await rig([fake]);
    const names = Array.from({ length: 50 }, (_, i) => `${i}.victim.example`);
    for (const name of names) expect(dataOf(await ask(queryFor(name)))).toEqual(GENUINE);
    expect(server.forwarder.counters).toMatchObject({ ignored: 3 * names.length, nearMisses: names.length });
    for (const name of names) expect(dataOf(await ask(queryFor(name)))).toEqual(GENUINE);
    expect(count("cached")).toBe(names.length);
  });

  test.each([
    ["another port of the upstream's address", "127.88.0.2"],
    ["another address", "127.88.0.66"],
  ])("who knows everything of the question and sends from %s: the kernel keeps it from us", async (_, address) => {
    const forger = createSocket("udp4");
    await new Promise<void>((resolve) => void forger.bind(0, address, resolve));
    whenDone({ close: async () => void forger.close() });
    const fake = await upstream({
      udp: (query, send, { port, address: asker }) => {
        // Sent one after the other over loopback: the forged ones arrive first.
        for (let i = 0; i < 20; i += 1) forger.send(respond(query, FORGED), port, asker);
        forger.send(respond(query, FORGED), port, asker, () => send(respond(query)));
      },
    });
    const { ask, server } = await rig([fake]);
    for (let i = 0; i < 20; i += 1) expect(dataOf(await ask(queryFor(`${i}.victim.example`)))).toEqual(GENUINE);
    expect(server.forwarder.counters).toMatchObject({ ignored: 0, nearMisses: 0 });
  });

  test("who answers before a question is put, and after it has been answered", async () => {
    const ports: number[] = [];
    const seen: Buffer[] = [];
    const fake = await upstream({
      udp: (query, send, { port }) => {
        ports.push(port);
        seen.push(query);
        send(respond(query));
        for (let i = 0; i < 10; i += 1) send(respond(query, FORGED));
      },
    });
    const { ask } = await rig([fake]);
    for (let i = 0; i < 20; i += 1) {
      expect(dataOf(await ask(queryFor(`${i}.victim.example`)))).toEqual(GENUINE);
      expect(dataOf(await ask(queryFor(`${i}.victim.example`)))).toEqual(GENUINE);
    }
    expect(new Set(ports).size).toBeGreaterThan(15);
    expect(new Set(seen.map((query) => query.readUInt16BE(0))).size).toBeGreaterThan(15);
  });

  test("who asks for one name many times at once: there is one question to guess, not many", async () => {
    const held: (() => void)[] = [];
    const fake = await upstream({ udp: (query, send) => held.push(() => send(respond(query))) });
    const { ask, server } = await rig([fake]);
    const asked = Array.from({ length: 60 }, (_, i) => ask(queryFor("www.victim.example", { id: i })));
    await vi.waitFor(() => expect([server.forwarder.counters.coalesced, held.length]).toEqual([59, 1]), {
      timeout: 20_000,
    });
    expect(fake.ports.size).toBe(1);
    for (const answer of held) answer();
    for (const reply of await Promise.all(asked)) expect(dataOf(reply)).toEqual(GENUINE);
  });
});

/** How many of these names the cache answers; the others are stored anew, as they would be. */
function answered(at: Bench, names: readonly string[]): number {
  const missing = names.filter((name) => at.ask(queryFor(name)) === undefined);
  for (const name of missing) storedFor(at, name, 3_600);
  return names.length - missing.length;
}

describe("a flood of random names cannot empty the cache", () => {
  const HOT = Array.from({ length: 200 }, (_, i) => `hot${i}.example`);

  test("of names asked for once, though nobody asks for what is in use meanwhile", () => {
    const at = bench([], ["."]);
    for (const name of HOT) storedFor(at, name, 3_600);
    expect(answered(at, HOT)).toBe(200);
    for (let i = 0; i < 30_000; i += 1) storedFor(at, `r${i}.victim.example`, 3_600);
    expect(at.cache.counters.evicted).toBeGreaterThan(20_000);
    // Now and then one shares a full bucket of the directory with names of the flood.
    expect(answered(at, HOT)).toBeGreaterThanOrEqual(195);
  });

  test("of names asked for twice each, as long as what is in use is", () => {
    const at = bench([], ["."]);
    for (const name of HOT) storedFor(at, name, 3_600);
    let hits = 0;
    for (let i = 0; i < 20_000; i += 1) {
      if (i % 500 === 0) hits += answered(at, HOT);
      storedFor(at, `r${i}.victim.example`, 3_600);
      at.ask(queryFor(`r${i}.victim.example`));
    }
    expect(at.cache.counters.evicted).toBeGreaterThan(10_000);
    // A few share a full bucket of the directory with names of the flood.
    expect(hits).toBeGreaterThan(40 * HOT.length * 0.9);
  });
});
