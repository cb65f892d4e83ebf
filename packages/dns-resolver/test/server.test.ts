import { milliseconds, seconds, SystemClock } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { describe, expect, test, vi } from "vitest";
import type { Packet } from "dns-packet";
import { SelfProbe } from "../src/self-probe.ts";
import { respond } from "./fake-upstream.ts";
import { dataOf, decoded, queryFor } from "./fixtures.ts";
import { lowerByte } from "../src/wire/name.ts";
import { passing, rig, upstream } from "./rig.ts";

const FORGED = { answers: [{ type: "A", name: "x", ttl: 9, data: "203.0.113.1" }] } as const satisfies Partial<Packet>;

function withId(message: Buffer, id: number): Buffer {
  message.writeUInt16BE(id & 0xffff, 0);
  return message;
}

/** As a server answers that keeps all names in lower case. */
function lower(query: Buffer): Buffer {
  return withId(respond(Buffer.from(query.map((byte) => lowerByte(byte)))), query.readUInt16BE(0));
}

describe("forwarding", () => {
  test("asks once, answers, and answers the next from the cache", async () => {
    const fake = await upstream({ udp: (query, send) => send(respond(query)) });
    const { ask, count } = await rig([fake]);
    expect(dataOf(await ask(queryFor("wWw.example")))).toEqual(["192.0.2.7"]);
    expect(dataOf(await ask(queryFor("www.example", { edns: {} })))).toEqual(["192.0.2.7"]);
    expect(fake.queries.length).toBe(1);
    expect(decoded(fake.queries[0] ?? new Uint8Array()).questions?.[0]?.name).toMatch(/^www\.example$/i);
    expect([count("forwarded"), count("cached")]).toEqual([1, 1]);
  });

  test("asks from a new port with a new id every time", async () => {
    const fake = await upstream({ udp: (query, send) => send(respond(query)) });
    const { ask } = await rig([fake]);
    for (let i = 0; i < 20; i += 1) await ask(queryFor(`n${i}.example`));
    expect(fake.ports.size).toBeGreaterThan(15);
    expect(new Set(fake.queries.map((query) => query.readUInt16BE(0))).size).toBeGreaterThan(15);
  });

  test("asks once for identical questions at the same time, and answers each in its own words", async () => {
    const held: (() => void)[] = [];
    const fake = await upstream({ udp: (query, send) => held.push(() => send(respond(query))) });
    const { ask, server } = await rig([fake]);
    const names = ["www.example", "WWW.example", "www.EXAMPLE"];
    const asked = names.map((name, i) => ask(queryFor(name, { id: i + 1 })));
    await vi.waitFor(() => expect(server.forwarder.counters.coalesced).toBe(2));
    await vi.waitFor(() => expect(held.length).toBe(1));
    held[0]?.();
    const replies = await Promise.all(asked);
    expect(replies.map((reply) => decoded(reply).id)).toEqual([1, 2, 3]);
    expect(replies.map((reply) => decoded(reply).questions?.[0]?.name)).toEqual(names);
    expect(fake.queries.length).toBe(1);
  });

  test("what is known leaves before anything that came with it is asked upstream", async () => {
    const fake = await upstream({ udp: (query, send) => send(respond(query)) });
    const { ask, server } = await rig([fake]);
    await ask(queryFor("www.example"));
    const [socket] = server.sockets;
    if (socket === undefined) throw new Error("no socket");
    const sendReplies = socket.sendReplies.bind(socket);
    const sent: number[] = [];
    const left = vi.spyOn(socket, "sendReplies").mockImplementation((end) => {
      const before = socket.counters.sent;
      sendReplies(end);
      sent.push(socket.counters.sent - before);
    });
    const asked = vi.spyOn(server.forwarder, "ask");
    // Whether datagrams come in one batch is the kernel's affair, so until some have.
    for (let i = 0; left.mock.calls.length === 0 && i < 200; i += 1) {
      asked.mockClear();
      const names = [`a${i}.example`, "www.example", `b${i}.example`, "WWW.example"];
      const replies = await Promise.all(names.map((name) => ask(queryFor(name))));
      expect(replies.map((reply) => decoded(reply).questions?.[0]?.name)).toEqual(names);
      expect(replies.flatMap(dataOf)).toEqual(names.map(() => "192.0.2.7"));
    }
    const [first = 0] = left.mock.invocationCallOrder;
    expect(first).toBeGreaterThan(0);
    expect(asked).toHaveBeenCalledTimes(2);
    expect(Math.max(...asked.mock.invocationCallOrder)).toBeGreaterThan(first);
    // With node:dgram what is sent is counted once libuv says so.
    expect(socket.implementation === "dgram" || (sent[0] ?? 0) > 0).toBe(true);
    expect(socket.counters).toMatchObject({ sendFailures: 0, handlerFailures: 0 });
  });

  test.each<[string, (query: Buffer) => Buffer]>([
    ["a wrong id", (query) => withId(respond(query, FORGED), query.readUInt16BE(0) ^ 1)],
    ["another question", (query) => respond(query, { questions: [{ type: "A", name: "other.example" }] })],
    ["garbage", () => Buffer.from("garbage")],
    ["the question itself", (query) => query],
  ])("ignores %s, and takes the right answer after it", async (_what, wrong) => {
    const fake = await upstream({
      udp: (query, send) => {
        send(wrong(query));
        send(wrong(query));
        send(respond(query));
      },
    });
    const { ask, server } = await rig([fake]);
    expect(dataOf(await ask(queryFor("www.example")))).toEqual(["192.0.2.7"]);
    expect(server.forwarder.counters).toMatchObject({ ignored: 2, overTcp: 0 });
  });

  test("gives up UDP for a question when somebody guesses, and asks over TCP", async () => {
    const fake = await upstream({
      udp: (query, send) => {
        for (let i = 1; i <= 3; i += 1) send(withId(respond(query, FORGED), query.readUInt16BE(0) ^ i));
        send(respond(query, FORGED)); // the guess that hits comes too late
      },
      tcp: respond,
    });
    const { ask, server } = await rig([fake]);
    expect(dataOf(await ask(queryFor("www.example")))).toEqual(["192.0.2.7"]);
    expect(fake.tcpQueries).toBe(1);
    expect(server.forwarder.counters).toMatchObject({ ignored: 3, nearMisses: 1 });
  });

  test("asks in a case drawn by chance, and the client sees its own", async () => {
    const fake = await upstream({ udp: (query, send) => send(respond(query)) });
    const { ask } = await rig([fake]);
    const names = Array.from({ length: 8 }, (_, i) => `a-name-with-many-letters-${i}.example`);
    for (const name of names) {
      const reply = decoded(await ask(queryFor(name)));
      expect([reply.questions?.[0]?.name, reply.answers?.[0]?.name]).toEqual([name, name]);
    }
    const asked = fake.queries.map((query) => decoded(query).questions?.[0]?.name ?? "");
    expect(asked.map((text) => text.toLowerCase())).toEqual(names);
    expect(asked.filter((text) => /[A-Z]/.test(text) && /[a-z]/.test(text))).toHaveLength(8);
  });

  test("an upstream that does not keep the case is asked over TCP once, and in lower case from then on", async () => {
    const fake = await upstream({
      udp: (query, send) => send(lower(query)),
      tcp: lower,
    });
    const { ask, server } = await rig([fake]);
    for (let i = 0; i < 4; i += 1) {
      const reply = decoded(await ask(queryFor(`Another-long-name-${i}.example`)));
      expect(reply.questions?.[0]?.name).toBe(`Another-long-name-${i}.example`);
      expect(reply.answers?.[0]).toMatchObject({ name: `another-long-name-${i}.example`, data: "192.0.2.7" });
    }
    expect(fake.tcpQueries).toBe(1);
    expect(server.forwarder.counters).toMatchObject({ caseChanged: 1, overTcp: 1 });
  });

  test("a forged answer in another case does not end mixed case for an upstream that keeps it over TCP", async () => {
    const fake = await upstream({ udp: (query, send) => send(lower(query)), tcp: respond });
    const { ask, server } = await rig([fake]);
    for (let i = 0; i < 4; i += 1) {
      const reply = decoded(await ask(queryFor(`another-long-name-${i}.example`)));
      expect(reply.answers?.[0]).toMatchObject({ name: `another-long-name-${i}.example`, data: "192.0.2.7" });
    }
    expect(fake.queries.filter((query) => /[A-Z]/.test(decoded(query).questions?.[0]?.name ?? ""))).toHaveLength(4);
    expect(fake.tcpQueries).toBe(4);
    expect(server.forwarder.counters).toMatchObject({ caseChanged: 4, overTcp: 4 });
  });

  test("asks again over TCP when the answer was truncated or cannot be read", async () => {
    const cut = await upstream({
      udp: (query, send) => send(respond(query, { flags: 0x0280, answers: [] })),
      tcp: respond,
    });
    const first = await rig([cut]);
    expect(dataOf(await first.ask(queryFor("www.example")))).toEqual(["192.0.2.7"]);
    const broken = await upstream({
      udp: (query, send) => send(Buffer.concat([respond(query), Buffer.of(1)])),
      tcp: respond,
    });
    const second = await rig([broken]);
    expect(dataOf(await second.ask(queryFor("www.example")))).toEqual(["192.0.2.7"]);
    expect([cut.tcpQueries, broken.tcpQueries]).toEqual([1, 1]);
  });

  test.each([
    ["is silent", {}],
    [
      "says SERVFAIL",
      { udp: (query: Buffer, send: (b: Uint8Array) => void) => send(respond(query, { flags: 0x82, answers: [] })) },
    ],
  ])("asks the second upstream when the first %s", async (_, script) => {
    const bad = await upstream(script);
    const good = await upstream({ udp: (query, send) => send(respond(query)) });
    const { ask } = await rig([bad, good]);
    expect(dataOf(await ask(queryFor("www.example")))).toEqual(["192.0.2.7"]);
    expect([bad.queries.length, good.queries.length]).toEqual([1, 1]);
  });

  test("says SERVFAIL with an extended error when nobody answers, is degraded, and recovers by itself", async () => {
    let alive = false;
    const fake = await upstream({ udp: (query, send) => alive && send(respond(query)) });
    const clock = new FakeClock();
    const { ask, health, count } = await rig([fake], clock);
    let reply: Buffer | undefined;
    for (let i = 1; i <= 3; i += 1) {
      expect(health.verdict).toBe("pass");
      reply = undefined;
      const before = fake.queries.length;
      void ask(queryFor(`n${i}.example`, { edns: {} })).then((bytes) => (reply = bytes));
      await vi.waitFor(() => expect(fake.queries.length).toBe(before + 1));
      await passing(clock, () => reply !== undefined);
    }
    expect(reply && decoded(reply).rcode).toBe("SERVFAIL");
    expect(reply?.toString("latin1")).toContain("127.88.0.2 did not answer in time");
    expect(count("upstream-failed")).toBe(3);
    expect(health.report).toMatchObject({
      verdict: "degraded",
      reasons: [{ code: "upstreams-unreachable", class: "dependency" }],
    });
    alive = true;
    await passing(clock, () => health.verdict === "pass");
    expect(health.verdict).toBe("pass");
  });

  test("serves an expired answer, marked stale, when upstreams fail", async () => {
    let alive = true;
    const fake = await upstream({ udp: (query, send) => alive && send(respond(query)) });
    const clock = new FakeClock();
    const { ask, count } = await rig([fake], clock);
    const first = ask(queryFor("www.example"));
    expect(dataOf(await first)).toEqual(["192.0.2.7"]);
    alive = false;
    clock.advance(seconds(100));
    let reply: Buffer | undefined;
    void ask(queryFor("www.example", { edns: {} })).then((bytes) => (reply = bytes));
    await vi.waitFor(() => expect(fake.queries.length).toBe(2));
    await passing(clock, () => reply !== undefined);
    expect(reply && decoded(reply)).toMatchObject({ rcode: "NOERROR", answers: [{ ttl: 30, data: "192.0.2.7" }] });
    expect(count("stale")).toBe(1);
  });
});

describe("the self-probe", () => {
  test("is answered by this instance, and says wrong when another answers", async () => {
    const { port } = await rig([]);
    const target = [{ address: "127.88.0.1", port }];
    const clock = new SystemClock();
    expect(await new SelfProbe(clock, target, "nyc/nyc-1").probe(seconds(2))).toEqual({ kind: "answered" });
    expect(await new SelfProbe(clock, target, "lon/lon-1").probe(seconds(2))).toMatchObject({ kind: "wrong" });
    const nobody = [{ address: "127.88.0.1", port: 9 }];
    expect(await new SelfProbe(clock, nobody, "nyc/nyc-1").probe(milliseconds(50))).toMatchObject({ kind: "silent" });
  });
});
