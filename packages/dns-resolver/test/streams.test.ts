import type { Socket } from "node:net";
import { milliseconds, seconds, type Duration } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import type { HostPort } from "@stitch/config";
import dnsPacket from "dns-packet";
import { describe, expect, test, vi } from "vitest";
import { TlsWay } from "../src/tls/tls-way.ts";
import type { Asking, Request } from "../src/upstream/exchange.ts";
import type { StreamResult, Way } from "../src/upstream/stream.ts";
import { Streams } from "../src/upstream/streams.ts";
import { TCP_WAY } from "../src/upstream/tcp-way.ts";
import { parseName } from "../src/wire/name.ts";
import { FakeStream, type StreamScript } from "./fake-stream.ts";
import { respond } from "./fake-upstream.ts";
import { dataOf, queryFor } from "./fixtures.ts";
import { rig, upstream, whenDone } from "./rig.ts";
import { selfSigned, type SelfSigned } from "./self-signed.ts";

const POLL = { timeout: 20_000, interval: 5 };
const LIMIT = milliseconds(600);
const LATE = seconds(2);
const OWN = selfSigned("dns.stitch.test");

interface Terms {
  readonly late?: boolean;
  readonly type?: number;
  readonly limit?: Duration;
  readonly source?: string;
  readonly target?: HostPort;
}

interface Side {
  readonly clock: FakeClock;
  readonly server: FakeStream;
  readonly streams: Streams;
  ignored: number;
  ask(name: string, terms?: Terms): Asking<StreamResult>;
}

const silent: StreamScript = () => undefined;
const answering: StreamScript = (query) => respond(query);
const inLowerCase: StreamScript = (query) =>
  Buffer.from(respond(query).map((byte, i) => (i > 12 && byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte)));

async function side(way: Way, identity: SelfSigned | undefined, script: StreamScript): Promise<Side> {
  const server = await FakeStream.open(script, identity);
  const clock = new FakeClock();
  const streams = new Streams(clock);
  whenDone({
    close: async () => {
      streams.close();
      await server.close();
    },
  });
  const own = { address: "127.88.0.2", port: server.port };
  const ask = (
    name: string,
    { late = true, type = 1, source, target = own, limit = LIMIT }: Terms = {},
  ): Asking<StreamResult> => {
    const question = Uint8Array.from([...(parseName(name) ?? []), 0, type, 0, 1]);
    const request: Request = {
      upstream: target,
      source,
      id: 0,
      question: question.map((byte) => (byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte)),
      mixedCase: true,
      dnssecOk: false,
      checkingDisabled: false,
      edns: true,
      limit,
      late: late ? LATE : milliseconds(0),
      onOverdue: () => {},
      onIgnored: () => void (found.ignored += 1),
      clock,
    };
    return streams.exchange(request, question, way);
  };
  const found: Side = { clock, server, streams, ignored: 0, ask };
  return found;
}

const kindOf = async ({ result }: Asking<StreamResult>): Promise<string> => (await result).exchange.kind;
const until = (seen: () => unknown): Promise<void> => vi.waitFor(() => expect(seen()).toBe(true), POLL);

describe.each<[string, () => Way, SelfSigned | undefined]>([
  ["TCP", () => TCP_WAY, undefined],
  ["TLS", () => new TlsWay({ name: undefined, pins: [OWN.pin], ca: undefined }), OWN],
])("kept connections to upstreams, over %s,", (_kind, way, identity) => {
  const open = (script: StreamScript): Promise<Side> => side(way(), identity, script);

  test("carry one question after the other, and from the route's source", async () => {
    const { ask, server } = await open(answering);
    for (let i = 0; i < 5; i += 1) expect(await kindOf(ask(`n${i}.example`, { source: "127.88.0.9" }))).toBe("answer");
    expect(server.connections.map(({ socket }) => socket.remoteAddress)).toEqual(["127.88.0.9"]);
  });

  test("carry many at once under ids of their own, whatever the order of the answers", async () => {
    const held: (() => void)[] = [];
    const { ask, server } = await open((query, { send }) => {
      held.push(() => send(respond(query)));
      return undefined;
    });
    const asked = Array.from({ length: 50 }, (_, i) => ask(`n${i}.example`));
    await until(() => held.length === 50);
    for (const send of held.toReversed()) send();
    for (const each of asked) expect(await kindOf(each)).toBe("answer");
    expect(server.connections).toHaveLength(1);
    expect(new Set(server.queries.map((query) => query.readUInt16BE(0))).size).toBe(50);
  });

  test("get company when one has 200 questions on its way, and there are four at most", async () => {
    const { ask, server, streams } = await open(silent);
    for (let i = 0; i < 200; i += 1) void ask(`n${i}.example`);
    expect(streams.open).toBe(1);
    void ask("one-more.example");
    expect(streams.open).toBe(2);
    for (let i = 0; i < 800; i += 1) void ask(`m${i}.example`);
    expect(streams.open).toBe(4);
    await until(() => server.queries.length === 1_001);
    const loads = server.connections.map(({ queries }) => queries.length);
    expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1);
  });

  test("are closed by us after 9 s without a question, and not while one waits", async () => {
    const { ask, clock, server, streams } = await open(answering);
    expect(await kindOf(ask("one.example"))).toBe("answer");
    clock.advance(milliseconds(8_999));
    streams.tidy();
    expect(streams.open).toBe(1);
    server.script = silent;
    const waits = ask("two.example", { limit: seconds(20) });
    clock.advance(seconds(10));
    streams.tidy();
    expect(streams.open).toBe(1);
    waits.end();
    clock.advance(seconds(9));
    streams.tidy();
    expect(streams.open).toBe(0);
    await until(() => server.open === 0);
  });

  test("that are closed under a question: it is put again, once, and not when they were never any good", async () => {
    const { ask, server } = await open(answering);
    expect(await kindOf(ask("one.example"))).toBe("answer");
    server.script = (_, { socket }) => void socket.destroy();
    expect(await kindOf(ask("two.example"))).toBe("unreachable");
    expect(server.queries).toHaveLength(3);
    expect(await kindOf(ask("three.example"))).toBe("unreachable");
    expect(server.queries).toHaveLength(4);
  });

  test("that are closed under a question twice cost it its answer, also when they carried others", async () => {
    let held: Socket | undefined;
    const { ask, server } = await open((query, { socket }) => {
      if (!query.includes("ill")) return respond(query);
      held = socket;
      return undefined;
    });
    const ill = ask("ill.example");
    for (let i = 1; i <= 2; i += 1) {
      await until(() => server.connections.length === i && held === server.connections[i - 1]?.socket);
      for (const name of ["well", "fine"]) expect(await kindOf(ask(`${name}${i}.example`))).toBe("answer");
      held?.destroy();
    }
    expect(await kindOf(ill)).toBe("unreachable");
    expect(server.connections).toHaveLength(2);
  });

  test("that are closed all at once, as by a restart: every question is put again on one that is newer", async () => {
    let good = 0;
    const { ask, server } = await open((query, { queries }) => (queries.length <= 2 ? respond(query) : undefined));
    const asked = Array.from({ length: 450 }, (_, i) => ask(`n${i}.example`));
    for (const { result } of asked) void result.then(() => (good += 1));
    await until(() => server.queries.length === 450 && good === 6);
    expect(server.connections).toHaveLength(3);
    server.script = answering;
    for (const { socket } of server.connections) socket.destroy();
    for (const each of asked) expect(await kindOf(each)).toBe("answer");
  });

  test("that are closed by the upstream are not used for the next question", async () => {
    const { ask, server, streams } = await open(answering);
    expect(await kindOf(ask("one.example"))).toBe("answer");
    server.connections[0]?.socket.end();
    await until(() => streams.open === 0);
    expect(await kindOf(ask("two.example"))).toBe("answer");
  });

  test("of a server that answers one question of each and closes it under the others: all are answered", async () => {
    const { ask, server } = await open((query, { queries, send, socket }) => {
      if (queries.length > 1) return undefined;
      send(respond(query));
      socket.end();
      return undefined;
    });
    const asked = Array.from({ length: 20 }, (_, i) => ask(`n${i}.example`));
    for (const each of asked) expect(await kindOf(each)).toBe("answer");
    expect(server.connections).toHaveLength(20);
    // Another server in its place answers more than one, and gets the next twenty over one connection.
    server.script = answering;
    for (const name of ["one", "two"]) expect(await kindOf(ask(`${name}.example`))).toBe("answer");
    const more = Array.from({ length: 20 }, (_, i) => ask(`m${i}.example`));
    for (const each of more) expect(await kindOf(each)).toBe("answer");
    expect(server.connections).toHaveLength(21);
  });

  test("are not given up for one slow name, however often it is asked: its late answer is taken", async () => {
    let slow: (() => void) | undefined;
    const { ask, clock, server, streams } = await open((query, { send }) => {
      slow ??= () => send(respond(query));
      return undefined;
    });
    const asked = [1, 28, 65].flatMap((type) => [ask("slow.example", { type }), ask("slow.example", { type })]);
    await until(() => server.queries.length === 6);
    clock.advance(LIMIT);
    expect(streams.open).toBe(1);
    slow?.();
    expect(await kindOf(asked[0] as Asking<StreamResult>)).toBe("answer");
  });

  test("are given up when three names are not answered in time and nothing was read", async () => {
    const { ask, clock, server, streams } = await open(answering);
    expect(await kindOf(ask("one.example"))).toBe("answer");
    server.script = silent;
    const asked = ["two.example", "three.example", "four.example"].map((name) => ask(name));
    clock.advance(LIMIT);
    expect(streams.open).toBe(0);
    for (const each of asked) expect(await kindOf(each)).toBe("timeout");
    server.script = answering;
    expect(await kindOf(ask("five.example"))).toBe("answer");
    expect(server.connections).toHaveLength(2);
  });

  test("are kept when three names are not answered in time while others are", async () => {
    const { ask, clock, streams } = await open((query) => (query.includes("slow") ? undefined : respond(query)));
    for (let i = 0; i < 4; i += 1) void ask(`slow${i}.example`);
    expect(await kindOf(ask("quick.example"))).toBe("answer");
    clock.advance(LIMIT);
    expect(streams.open).toBe(1);
  });

  test("on which one name alone is asked for are given up after 5 s of silence", async () => {
    const { ask, clock, server, streams } = await open(answering);
    expect(await kindOf(ask("one.example"))).toBe("answer");
    server.script = silent;
    for (let past = 0; past < 5_000; past += LIMIT) {
      expect(streams.open).toBe(1);
      void ask("two.example");
      clock.advance(LIMIT);
    }
    expect(streams.open).toBe(0);
  });

  test("that are accepted and never answered are given up", async () => {
    const { ask, clock, server, streams } = await open(silent);
    const asked = ["one.example", "two.example", "three.example"].map((name) => ask(name, { late: false }));
    await until(() => server.queries.length === 3);
    clock.advance(LIMIT);
    for (const each of asked) expect(await kindOf(each)).toBe("timeout");
    expect(streams.open).toBe(0);
  });

  test.each<[string, (connection: FakeStream["connections"][number]) => void]>([
    ["messages", ({ send }) => Array.from({ length: 65 }, () => send(Uint8Array.of(1)))],
    ["bytes", ({ send }) => Array.from({ length: 5 }, () => send(new Uint8Array(65_535)))],
  ])("are closed when the upstream sends many %s unasked", async (_what, flood) => {
    const { ask, server, streams } = await open(answering);
    expect(await kindOf(ask("one.example"))).toBe("answer");
    const [connection] = server.connections;
    if (connection !== undefined) flood(connection);
    await until(() => streams.open === 0);
    expect(await kindOf(ask("two.example"))).toBe("answer");
  });

  test("bear what comes unasked now and then, between answers", async () => {
    const { ask, server, streams } = await open((query, { send }) => {
      for (let i = 0; i < 40; i += 1) send(Uint8Array.of(1));
      return respond(query);
    });
    for (let i = 0; i < 3; i += 1) expect(await kindOf(ask(`n${i}.example`))).toBe("answer");
    expect([streams.open, server.connections.length]).toEqual([1, 1]);
  });

  test("bear late answers that nobody waits for any more", async () => {
    const held: (() => void)[] = [];
    const found = await open((query, { send }) => {
      held.push(() => send(respond(query)));
      return undefined;
    });
    const asked = Array.from({ length: 64 }, (_, i) => found.ask(`n${i}.example`));
    await until(() => held.length === 64);
    for (const { end } of asked) end();
    for (const send of held) send();
    await until(() => found.ignored === 64);
    expect(found.streams.open).toBe(1);
  });

  test("are closed when the upstream does not read what it is asked", async () => {
    const { ask, server } = await open(answering);
    expect(await kindOf(ask("one.example"))).toBe("answer");
    server.connections[0]?.socket.pause();
    const long = `${"x".repeat(60)}.${"y".repeat(60)}.${"z".repeat(60)}.example`;
    // What nobody waits for any more is still to be sent, until the kernel's buffers are full, and ours.
    for (let asked = 0; asked < 200_000 && server.connections.length === 1; asked += 1) {
      ask(`n${asked}.${long}`).end();
      if (asked % 1_000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(server.connections).toHaveLength(2);
  });

  test("take no answer to another question, nor with another id", async () => {
    const found = await open((query, { send }) => {
      send(respond(query, { questions: [{ type: "A", name: "other.example" }] }));
      const other = respond(query);
      other.writeUInt16BE(other.readUInt16BE(0) ^ 1, 0);
      return other;
    });
    const asking = found.ask("one.example", { late: false });
    await until(() => found.ignored === 2);
    found.clock.advance(LIMIT);
    expect(await kindOf(asking)).toBe("timeout");
  });

  test("are closed at the end, with what is on its way, and no other is opened", async () => {
    const { ask, server, streams } = await open(silent);
    const asked = ask("one.example");
    await until(() => server.queries.length === 1);
    streams.close();
    expect([await kindOf(asked), await kindOf(ask("two.example")), streams.open]).toEqual(["timeout", "timeout", 0]);
  });

  test("to a port that is none come to nothing", async () => {
    const { ask } = await open(answering);
    expect(await kindOf(ask("one.example", { target: { address: "127.88.0.2", port: 70_000 } }))).toBe("unreachable");
  });
});

test("truncated answers are asked for over one connection, and the id and letters of each are its own", async () => {
  const fake = await upstream({
    udp: (query, send) => send(respond(query, { flags: dnsPacket.TRUNCATED_RESPONSE, answers: [] })),
    tcp: (query) => respond(query),
  });
  const { ask, server } = await rig([fake]);
  const replies = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(queryFor(`n${i}.example`))));
  for (const reply of replies) expect(dataOf(reply)).toEqual(["192.0.2.7"]);
  expect([fake.tcpConnections, fake.tcpQueries, server.forwarder.counters.overTcp]).toEqual([1, 20, 20]);
});

test("an answer in another case than the question's is taken over TCP, where it shows, and is none over TLS", async () => {
  const overTcp = await side(TCP_WAY, undefined, inLowerCase);
  const { exchange, caseChanged } = await overTcp.ask("MiXeD.example").result;
  expect([exchange.kind, caseChanged]).toEqual(["answer", true]);
  const overTls = await side(new TlsWay({ name: undefined, pins: [OWN.pin], ca: undefined }), OWN, inLowerCase);
  const asking = overTls.ask("MiXeD.example", { late: false });
  await until(() => overTls.ignored === 1);
  overTls.clock.advance(LIMIT);
  expect(await kindOf(asking)).toBe("timeout");
});
