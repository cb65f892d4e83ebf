import type { TLSSocket } from "node:tls";
import { FakeClock } from "@stitch/clock/testing";
import dnsPacket from "dns-packet";
import { describe, expect, test, vi } from "vitest";
import type { UpstreamAddress } from "../src/upstream-address.ts";
import { FakeStream, type FakeConnection, type StreamScript } from "./fake-stream.ts";
import { respond } from "./fake-upstream.ts";
import { dataOf, decoded, queryFor } from "./fixtures.ts";
import { inTime, rigOf, upstream, whenDone, type Rig, type RigRoute } from "./rig.ts";
import { selfSigned, type SelfSigned } from "./self-signed.ts";

const NAME = "dns.stitch.test";
const OWN = selfSigned(NAME);
const OTHER = selfSigned("other.stitch.test");

async function tlsUpstream(
  identity: SelfSigned,
  script: StreamScript = (query) => respond(query),
): Promise<FakeStream> {
  const server = await FakeStream.open(script, identity);
  whenDone(server);
  return server;
}

/** A resolver whose root route asks this upstream by this name. */
function asking({ port }: FakeStream, name: string | undefined, tls: NonNullable<RigRoute["tls"]>): Promise<Rig> {
  return rigOf([{ zone: ".", upstreams: [{ address: "127.88.0.2", port, tls: { name } }], tls }]);
}

function at(port: number): UpstreamAddress {
  return { address: "127.88.0.2", port, tls: { name: NAME } };
}

const byName = { ca: OWN.cert, pins: [] };

describe("DoT upstreams", () => {
  test("are asked over one connection that is kept, all questions at once, each padded to a multiple of 128", async () => {
    const held: (() => void)[] = [];
    const server = await tlsUpstream(OWN, (query, { send }) => {
      held.push(() => send(respond(query)));
      return undefined;
    });
    const { ask } = await asking(server, NAME, byName);
    const asked = Array.from({ length: 20 }, (_, i) => ask(queryFor(`n${i}.example`)));
    await vi.waitFor(() => expect(held).toHaveLength(20), { timeout: 20_000 });
    for (const send of held.toReversed()) send();
    for (const reply of await Promise.all(asked)) expect(dataOf(reply)).toEqual(["192.0.2.7"]);
    expect(server.connections).toHaveLength(1);
    expect(new Set(server.queries.map(({ length }) => length % 128))).toEqual(new Set([0]));
    expect(new Set(server.queries.map((query) => query.readUInt16BE(0))).size).toBe(20);
    expect(server.connections.map(({ socket }) => (socket as TLSSocket).alpnProtocol)).toEqual(["dot"]);
  });

  test.each<[string, SelfSigned, string | undefined, NonNullable<RigRoute["tls"]>]>([
    ["another name", OTHER, NAME, { ca: OTHER.cert, pins: [] }],
    ["an unknown signer", OWN, NAME, { ca: OTHER.cert, pins: [] }],
    ["another key than the pinned one", OTHER, undefined, { pins: [OWN.pin] }],
  ])("with %s are asked nothing, and nothing in the clear", async (_what, identity, name, tls) => {
    const server = await tlsUpstream(identity);
    const { ask, server: own } = await asking(server, name, tls);
    const reply = await ask(queryFor("www.example", { edns: {} }));
    expect(decoded(reply).rcode).toBe("SERVFAIL");
    expect(reply.toString("latin1")).toContain("has no certificate of its name, or not the pinned key");
    expect(server.queries).toEqual([]);
    expect(own.forwarder.counters.overTcp).toBe(0);
  });

  test.each([
    ["127.88.0.2", "is answered by", ["192.0.2.7"]],
    ["127.88.0.3", "asks nothing of", []],
  ])("an address as the name (%s) %s one whose certificate bears 127.88.0.2", async (name, _what, expected) => {
    const identity = selfSigned("127.88.0.2");
    const server = await tlsUpstream(identity);
    const { ask } = await asking(server, name, { ca: identity.cert, pins: [] });
    const reply = await ask(queryFor("www.example", { edns: {} }));
    expect(dataOf(reply)).toEqual(expected);
    expect(server.queries.length).toBe(expected.length);
  });

  test("that cut their answer are asked nothing in the clear", async () => {
    const server = await tlsUpstream(OWN, (query) =>
      respond(query, { flags: dnsPacket.TRUNCATED_RESPONSE, answers: [] }),
    );
    const { ask, server: own } = await asking(server, NAME, byName);
    expect(decoded(await ask(queryFor("www.example"))).rcode).toBe("SERVFAIL");
    expect(server.queries.length).toBeGreaterThan(0);
    expect(own.forwarder.counters.overTcp).toBe(0);
  });

  test("are taken by a pinned key alone, whatever their name", async () => {
    const server = await tlsUpstream(OTHER);
    const { ask } = await asking(server, undefined, { pins: [OWN.pin, OTHER.pin] });
    expect(dataOf(await ask(queryFor("www.example")))).toEqual(["192.0.2.7"]);
  });

  test("that close a kept connection are asked again on a new one, and the client waits no longer for it", async () => {
    let answered = 0;
    const server = await tlsUpstream(OWN, (query, { socket }) => {
      answered += 1;
      if (answered === 2) {
        socket.destroy();
        return undefined;
      }
      return respond(query);
    });
    const { ask, server: own } = await asking(server, NAME, byName);
    expect(dataOf(await ask(queryFor("one.example")))).toEqual(["192.0.2.7"]);
    expect(dataOf(await ask(queryFor("two.example")))).toEqual(["192.0.2.7"]);
    expect(server.connections).toHaveLength(2);
    expect(own.forwarder.counters.unreachable).toBe(0);
  });

  test("that say nothing any more on a kept connection get a new one after three questions", async () => {
    const muted = new Set<FakeConnection>();
    const server = await tlsUpstream(OWN, (query, connection) => (muted.has(connection) ? undefined : respond(query)));
    const { ask } = await asking(server, NAME, byName);
    expect(dataOf(await ask(queryFor("one.example")))).toEqual(["192.0.2.7"]);
    for (const connection of server.connections) muted.add(connection);
    const names = ["two.example", "three.example", "four.example"];
    const replies = await Promise.all(names.map((name) => ask(queryFor(name))));
    for (const reply of replies) expect(dataOf(reply)).toEqual(["192.0.2.7"]);
    expect(server.connections).toHaveLength(2);
  });

  test("that are slow with one name, asked three times over, keep their connection, and the late answer is stored", async () => {
    const held: (() => void)[] = [];
    const server = await tlsUpstream(OWN, (query, { send }) => {
      held.push(() => send(respond(query)));
      return undefined;
    });
    const clock = new FakeClock();
    const { ask, count } = await rigOf([{ zone: ".", upstreams: [at(server.port)], tls: byName }], clock);
    const reply = ask(queryFor("slow.example"));
    await vi.waitFor(() => expect(held).toHaveLength(1), { timeout: 20_000 });
    expect(decoded(await inTime(clock, reply)).rcode).toBe("SERVFAIL");
    await vi.waitFor(() => expect(held).toHaveLength(3), { timeout: 20_000 });
    for (const send of held) send();
    await vi.waitFor(async () => {
      expect(dataOf(await ask(queryFor("slow.example")))).toEqual(["192.0.2.7"]);
    }, 20_000);
    expect(count("cached")).toBe(1);
    expect([server.connections.length, server.queries.length]).toEqual([1, 3]);
  });

  test("that are not there, or speak no TLS, are passed over for the next", async () => {
    const plain = await upstream({ udp: (query, send) => send(respond(query)), tcp: () => Buffer.from("no TLS") });
    const server = await tlsUpstream(OWN);
    const { ask } = await rigOf([{ zone: ".", upstreams: [at(9), at(plain.port), at(server.port)], tls: byName }]);
    expect(dataOf(await ask(queryFor("www.example")))).toEqual(["192.0.2.7"]);
    expect(plain.queries).toEqual([]);
  });

  test("that send another answer first are waited for", async () => {
    const server = await tlsUpstream(OWN, (query, { send }) => {
      send(respond(query, { questions: [{ type: "A", name: "other.example" }] }));
      return respond(query);
    });
    const { ask, server: own } = await asking(server, NAME, byName);
    expect(dataOf(await ask(queryFor("www.example")))).toEqual(["192.0.2.7"]);
    expect(own.forwarder.counters.ignored).toBe(1);
  });
});
