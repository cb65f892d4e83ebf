import { connect, type Socket } from "node:net";
import { milliseconds, seconds, SystemClock } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { describe, expect, test, vi } from "vitest";
import { TcpListener } from "../src/tcp-listener.ts";
import { respond } from "./fake-upstream.ts";
import { decoded, queryFor } from "./fixtures.ts";
import { rig, upstream, whenDone } from "./rig.ts";

/** A TCP client that keeps what it received. */
class TcpClient {
  readonly socket: Socket;
  received = Buffer.alloc(0);
  closed = false;

  constructor(port: number) {
    this.socket = connect(port, "127.88.0.1");
    this.socket.on("data", (chunk: Buffer) => (this.received = Buffer.concat([this.received, chunk])));
    this.socket.on("close", () => (this.closed = true));
    this.socket.on("error", () => this.socket.destroy());
    whenDone({ close: async () => void this.socket.destroy() });
  }

  messages(): Buffer[] {
    const found: Buffer[] = [];
    for (let rest = this.received; rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0);) {
      found.push(rest.subarray(2, 2 + rest.readUInt16BE(0)));
      rest = rest.subarray(2 + rest.readUInt16BE(0));
    }
    return found;
  }
}

function framed(...messages: Uint8Array[]): Buffer {
  return Buffer.concat(messages.flatMap((each) => [Buffer.of(each.length >> 8, each.length & 255), each]));
}

describe("TCP", () => {
  test("answers pipelined queries, however the stream is cut", async () => {
    const { port } = await rig([]);
    const client = new TcpClient(port);
    const bytes = framed(...[1, 2, 3].map((id) => queryFor("localhost", { id })));
    for (const byte of bytes) client.socket.write(Buffer.of(byte));
    await vi.waitFor(() => expect(client.messages().map((each) => decoded(each).id)).toEqual([1, 2, 3]));
    client.socket.write(bytes);
    await vi.waitFor(() => expect(client.messages().length).toBe(6));
  });

  test("takes more pipelined queries than may wait at once, and answers all", async () => {
    const fake = await upstream({ udp: (query, send) => send(respond(query)) });
    const { port } = await rig([fake]);
    const client = new TcpClient(port);
    client.socket.write(framed(...Array.from({ length: 300 }, (_, i) => queryFor(`n${i}.example`, { id: i }))));
    await vi.waitFor(() => expect(client.messages().length).toBe(300), 10_000);
    expect(new Set(client.messages().map((each) => decoded(each).id)).size).toBe(300);
  });

  test("closes a connection on which nothing whole has come for the idle time", async () => {
    const clock = new FakeClock();
    const { port, server } = await rig([], clock);
    const client = new TcpClient(port);
    client.socket.write(Buffer.of(0));
    await vi.waitFor(() => expect(server.listeners[0]?.connections).toBe(1));
    clock.advance(milliseconds(9_900));
    expect(client.closed).toBe(false);
    clock.advance(seconds(2));
    await vi.waitFor(() => expect(client.closed).toBe(true));
    expect(server.listeners[0]?.counters.idled).toBe(1);
  });

  test("refuses more connections of one client than the limit, and keeps serving the others", async () => {
    const { port, server } = await rig([]);
    const clients = Array.from({ length: 40 }, () => new TcpClient(port));
    await vi.waitFor(() => expect(server.listeners[0]?.counters.refused).toBe(8));
    clients[0]?.socket.write(framed(queryFor("localhost")));
    await vi.waitFor(() => expect(clients[0]?.messages().length).toBe(1));
  });

  test("names the address and what to do when the port is taken", async () => {
    const { port } = await rig([]);
    const again = TcpListener.open({
      local: { address: "127.88.0.1", port },
      clock: new SystemClock(),
      admits: () => true,
      onQuery: () => {},
    });
    await expect(again).rejects.toThrow(`cannot bind tcp 127.88.0.1:${port}: another program holds it`);
  });
});

describe("TCP and strangers", () => {
  test("whoever may not ask holds no connection", async () => {
    const listener = await TcpListener.open({
      local: { address: "127.88.0.1", port: 0 },
      clock: new SystemClock(),
      admits: (peer) => peer[4] !== 127,
      onQuery: () => {},
    });
    whenDone(listener);
    const client = new TcpClient(listener.port);
    await vi.waitFor(() => expect(client.closed).toBe(true));
    expect([listener.connections, listener.counters.refused]).toEqual([0, 1]);
  });

  test("a client that closes its side after asking is answered, then let go", async () => {
    const held: (() => void)[] = [];
    const fake = await upstream({ udp: (query, send) => held.push(() => send(respond(query))) });
    const { port, server } = await rig([fake]);
    const client = new TcpClient(port);
    client.socket.end(framed(queryFor("www.example", { id: 5 })));
    await vi.waitFor(() => expect(held.length).toBe(1));
    held[0]?.();
    await vi.waitFor(() => expect(client.messages().map((each) => decoded(each).id)).toEqual([5]));
    await vi.waitFor(() => expect(client.closed).toBe(true));
    expect(server.listeners[0]?.connections).toBe(0);
  });

  test("what is longer than any query is not kept waiting for an upstream", async () => {
    const fake = await upstream({ udp: (query, send) => send(respond(query)) });
    const { port, count } = await rig([fake]);
    const client = new TcpClient(port);
    const padded = Buffer.concat([queryFor("www.example", { edns: {} }), Buffer.alloc(60_000)]);
    padded.writeUInt16BE(60_000, padded.length - 60_002);
    padded.writeUInt16BE(12, padded.length - 60_000);
    padded.writeUInt16BE(59_996, padded.length - 59_998);
    client.socket.write(framed(padded, queryFor("localhost", { id: 2 })));
    await vi.waitFor(() => expect(client.messages().map((each) => decoded(each).id)).toEqual([2]));
    expect([count("oversized"), fake.queries.length]).toEqual([1, 0]);
  });

  test("the last query that a connection may send is answered before it is closed", async () => {
    const { port } = await rig([]);
    const client = new TcpClient(port);
    const query = framed(queryFor("localhost"));
    for (let i = 0; i < 100; i += 1) client.socket.write(Buffer.concat(Array.from({ length: 101 }, () => query)));
    await vi.waitFor(() => expect(client.closed).toBe(true), 10_000);
    expect(client.messages().length).toBe(10_000);
  });
});

test("a client that asks and does not read is let go before it pins much memory", async () => {
  const answer = new Uint8Array(60_000);
  const listener = await TcpListener.open({
    local: { address: "127.88.0.1", port: 0 },
    clock: new SystemClock(),
    admits: () => true,
    onQuery: (_message, _peer, reply) => reply(answer),
  });
  whenDone(listener);
  const client = new TcpClient(listener.port);
  client.socket.pause();
  await vi.waitFor(() => expect(listener.connections).toBe(1));
  client.socket.write(framed(...Array.from({ length: 1_000 }, () => queryFor("localhost"))));
  await vi.waitFor(() => expect(listener.connections).toBe(0));
});
