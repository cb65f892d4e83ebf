import { milliseconds, minutes } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import dnsPacket from "dns-packet";
import { describe, expect, test } from "vitest";
import { EdnsMemory } from "../src/upstream/edns-memory.ts";
import { FakeStream } from "./fake-stream.ts";
import { respond, type Script } from "./fake-upstream.ts";
import { dataOf, decoded, queryFor } from "./fixtures.ts";
import { rig, rigOf, upstream, whenDone } from "./rig.ts";
import { selfSigned } from "./self-signed.ts";

const [FORMERR, NOTIMP] = [1, 4];

function hasEdns(query: Buffer): boolean {
  return query.readUInt16BE(10) > 0;
}

function refusal(query: Buffer, rcode: number, opt: readonly dnsPacket.Answer[] = []): Buffer {
  return respond(query, { flags: 0x80 | rcode, answers: [], additionals: [...opt] });
}

function withOpt(extendedRcode: number): dnsPacket.Answer[] {
  return [{ type: "OPT", name: ".", udpPayloadSize: 1_232, extendedRcode, flags: 0, options: [] } as never];
}

/** The header alone, as servers answer that understood nothing. */
function bare(query: Buffer, rcode: number): Buffer {
  return Buffer.of(query[0] ?? 0, query[1] ?? 0, 0x80, rcode, 0, 0, 0, 0, 0, 0, 0, 0);
}

function cut(query: Buffer): Buffer {
  return respond(query, { flags: dnsPacket.TRUNCATED_RESPONSE, answers: [] });
}

/** Refuses EDNS so, over UDP and TCP, and answers without it. */
function oldServer(refuse: (query: Buffer) => Buffer): Script {
  const answer = (query: Buffer): Buffer => (hasEdns(query) ? refuse(query) : respond(query));
  return { udp: (query, send) => send(answer(query)), tcp: answer };
}

describe("an upstream that does not know EDNS", () => {
  test.each<[string, (query: Buffer) => Buffer]>([
    ["FORMERR", (query) => refusal(query, FORMERR)],
    ["NOTIMP", (query) => refusal(query, NOTIMP)],
    ["FORMERR and nothing but a header", (query) => bare(query, FORMERR)],
    ["BADVERS", (query) => refusal(query, 0, withOpt(1))],
  ])("and says %s is asked again without, once, and after the second time at once so", async (_what, refuse) => {
    const fake = await upstream(oldServer(refuse));
    const { ask, server } = await rig([fake]);
    expect(dataOf(await ask(queryFor("one.example", { edns: { dnssecOk: true } })))).toEqual(["192.0.2.7"]);
    expect(dataOf(await ask(queryFor("two.example")))).toEqual(["192.0.2.7"]);
    expect(dataOf(await ask(queryFor("three.example")))).toEqual(["192.0.2.7"]);
    expect(fake.queries.map(hasEdns)).toEqual([true, false, true, false, false]);
    expect(server.forwarder.counters.withoutEdns).toBe(2);
  });

  test("over TCP alone gets the same there", async () => {
    const asked: boolean[] = [];
    const fake = await upstream({
      udp: (query, send) => send(cut(query)),
      tcp: (query) => {
        asked.push(hasEdns(query));
        return hasEdns(query) ? refusal(query, FORMERR) : respond(query);
      },
    });
    const { ask } = await rig([fake]);
    expect(dataOf(await ask(queryFor("one.example")))).toEqual(["192.0.2.7"]);
    expect(asked).toEqual([true, false]);
  });

  test("over TLS is asked without it there, unpadded, and never in the clear", async () => {
    const own = selfSigned("dns.stitch.test");
    const server = await FakeStream.open((query) => (hasEdns(query) ? refusal(query, FORMERR) : respond(query)), own);
    whenDone(server);
    const upstreams = [{ address: "127.88.0.2", port: server.port, tls: { name: undefined } }];
    const { ask } = await rigOf([{ zone: ".", upstreams, tls: { pins: [own.pin] } }]);
    expect(dataOf(await ask(queryFor("one.example")))).toEqual(["192.0.2.7"]);
    expect(server.queries.map(hasEdns)).toEqual([true, false]);
    expect(server.queries[1]?.length).toBe(12 + 13 + 4);
  });

  test("cuts its answer at 512 bytes: what is longer comes over TCP, without EDNS too", async () => {
    const asked: boolean[] = [];
    const fake = await upstream({
      udp: (query, send) => send(hasEdns(query) ? refusal(query, FORMERR) : cut(query)),
      tcp: (query) => {
        asked.push(hasEdns(query));
        return respond(query);
      },
    });
    const { ask } = await rig([fake]);
    expect(dataOf(await ask(queryFor("one.example")))).toEqual(["192.0.2.7"]);
    expect([fake.queries.length, asked]).toEqual([2, [false]]);
  });
});

describe("an upstream that knows EDNS", () => {
  test("and says FORMERR with an OPT record means it", async () => {
    const fake = await upstream({ udp: (query, send) => send(refusal(query, FORMERR, withOpt(0))) });
    const { ask } = await rig([fake]);
    expect(decoded(await ask(queryFor("one.example"))).rcode).toBe("SERVFAIL");
    expect(fake.queries.every(hasEdns)).toBe(true);
  });

  test("is still asked with it when one question cannot be had without it either", async () => {
    const fake = await upstream({
      udp: (query, send) =>
        send(query.toString("latin1").toLowerCase().includes("odd") ? refusal(query, FORMERR) : respond(query)),
    });
    const { ask } = await rig([fake]);
    expect(decoded(await ask(queryFor("odd.example"))).rcode).toBe("SERVFAIL");
    fake.queries.length = 0;
    expect(dataOf(await ask(queryFor("one.example")))).toEqual(["192.0.2.7"]);
    expect(fake.queries.map(hasEdns)).toEqual([true]);
  });

  test("and leaves the OPT record out of its answer is taken at its word", async () => {
    const fake = await upstream({ udp: (query, send) => send(respond(query)) });
    const { ask } = await rig([fake]);
    expect(dataOf(await ask(queryFor("one.example", { edns: { dnssecOk: true } })))).toEqual(["192.0.2.7"]);
    expect(fake.queries.map(hasEdns)).toEqual([true]);
  });
});

test("an upstream that has learned EDNS is asked with it, and what was known before is forgotten", async () => {
  let knows = false;
  const fake = await upstream({
    udp: (query, send) => send(hasEdns(query) && !knows ? refusal(query, FORMERR) : respond(query)),
  });
  const clock = new FakeClock();
  const { ask } = await rig([fake], clock);
  /** Whether it was asked with EDNS first, and how often. */
  const asked = async (name: string): Promise<boolean[]> => {
    fake.queries.length = 0;
    expect(dataOf(await ask(queryFor(name)))).toEqual(["192.0.2.7"]);
    return fake.queries.map(hasEdns);
  };
  expect(await asked("one.example")).toEqual([true, false]);
  expect(await asked("two.example")).toEqual([true, false]);
  expect(await asked("three.example")).toEqual([false]);
  clock.advance(minutes(1));
  expect(await asked("four.example")).toEqual([true, false]);
  clock.advance(minutes(1));
  expect(await asked("five.example")).toEqual([false]); // two minutes now
  clock.advance(minutes(1));
  knows = true;
  expect(await asked("six.example")).toEqual([true]);
  knows = false;
  expect(await asked("seven.example")).toEqual([true, false]);
  expect(await asked("eight.example")).toEqual([true, false]);
  expect(await asked("nine.example")).toEqual([false]);
  clock.advance(minutes(1));
  expect(await asked("ten.example")).toEqual([true, false]);
});

test("a single refusal, which somebody may have forged, is not remembered when EDNS is answered next", () => {
  const clock = new FakeClock();
  const memory = new EdnsMemory();
  for (let i = 0; i < 5; i += 1) {
    memory.refused(clock.now());
    expect(memory.isSpoken(clock.now())).toBe(true);
    memory.spoken();
  }
});

test("that an upstream does not know EDNS is remembered for a minute, doubling to a quarter of an hour", () => {
  const clock = new FakeClock();
  const memory = new EdnsMemory();
  for (const span of [1, 2, 4, 8, 15, 15]) {
    expect(memory.isSpoken(clock.now())).toBe(true);
    for (let i = 0; i < 20; i += 1) memory.refused(clock.now()); // many questions at once
    clock.advance(milliseconds(minutes(span) - 1));
    expect(memory.isSpoken(clock.now())).toBe(false);
    clock.advance(milliseconds(1));
  }
  memory.spoken();
  for (let i = 0; i < 2; i += 1) memory.refused(clock.now());
  expect(memory.isSpoken(clock.now())).toBe(false);
  clock.advance(minutes(1));
  expect(memory.isSpoken(clock.now())).toBe(true);
});
