import { SystemClock, seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import * as fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  BindError,
  ENDPOINT_BYTES,
  endpointPort,
  readEndpoint,
  TRUNCATED,
  writeEndpoint,
  type Arrivals,
  type BatchHandler,
  type DatagramSocket,
  type DatagramSocketOptions,
  type Endpoint,
  type Replies,
} from "../src/index.ts";
import { LoopbackClient } from "./loopback-client.ts";

export type Open = (options: DatagramSocketOptions) => Promise<DatagramSocket>;

vi.setConfig({ testTimeout: 30_000 });

const POLL = { timeout: 5_000, interval: 2 };
const V4: Endpoint = { address: "127.0.0.1", port: 0 };
const V6: Endpoint = { address: "::1", port: 0 };
const LARGEST_UDP = 65_507;

/** What every implementation of the batch interface must do, whatever it is made of. */
export function describeDatagramSocket(name: string, open: Open): void {
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  async function socketWith(onBatch: BatchHandler, more: Partial<DatagramSocketOptions> = {}): Promise<DatagramSocket> {
    const socket = await open({
      local: V4,
      clock: new SystemClock(),
      slotSize: 1_500,
      replySlotSize: 1_500,
      batchSize: 64,
      receiveBuffer: 262_144,
      onBatch,
      onFailure: () => {},
      ...more,
    });
    closers.push(() => socket.close());
    return socket;
  }

  async function clientOf(socket: DatagramSocket): Promise<LoopbackClient> {
    const client = await LoopbackClient.to(socket.local);
    closers.push(() => client.close());
    return client;
  }

  describe(`${name}: batches and replies`, () => {
    test("every reply goes to the peer whose datagram it answers", async () => {
      const socket = await socketWith(echo);
      const clients = await Promise.all([clientOf(socket), clientOf(socket), clientOf(socket)]);
      const sent = clients.map((_, c) => Array.from({ length: 20 }, (_unused, i) => `client ${c} datagram ${i}`));
      for (let i = 0; i < 20; i += 1) for (const [c, client] of clients.entries()) client.send(sent[c]?.[i] ?? "");
      await vi.waitFor(() => expect(clients.map((client) => client.texts)).toEqual(sent), POLL);
    });

    test("no batch is larger than asked for, and none is empty", async () => {
      const sizes: number[] = [];
      const socket = await socketWith((arrivals) => void sizes.push(arrivals.count), { batchSize: 8 });
      const client = await clientOf(socket);
      client.send(...Array.from({ length: 100 }, (_, i) => String(i)));
      await vi.waitFor(() => expect(sum(sizes)).toBe(100), POLL);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(8);
      expect(Math.min(...sizes)).toBeGreaterThanOrEqual(1);
      expect(socket.counters.batches).toBe(sizes.length);
    });

    test("a slot whose length stays 0 sends nothing, whatever an earlier batch left there", async () => {
      const socket = await socketWith(
        (arrivals, replies) => {
          expect([...replies.lengths.subarray(0, arrivals.count)].every((length) => length === 0)).toBe(true);
          if (textOf(arrivals, 0) !== "quiet") echo(arrivals, replies);
        },
        { batchSize: 1 },
      );
      const client = await clientOf(socket);
      client.send("one", "quiet", "two", "quiet", "three");
      await vi.waitFor(() => expect(client.texts).toEqual(["one", "two", "three"]), POLL);
      expect(socket.counters).toMatchObject({ received: 5, sent: 3, sendFailures: 0 });
    });

    test("a reply longer than its slot is refused instead of showing a neighbour's bytes", async () => {
      const socket = await socketWith(
        (arrivals, replies) => {
          echo(arrivals, replies);
          for (let i = 0; i < arrivals.count; i += 1) if (textOf(arrivals, i) === "greedy") replies.lengths[i] = 17;
        },
        { replySlotSize: 16 },
      );
      const client = await clientOf(socket);
      client.send("greedy", "modest");
      await vi.waitFor(() => expect(client.texts).toEqual(["modest"]), POLL);
      expect(socket.counters.sendFailures).toBe(1);
    });

    test("replies that are sent within the batch leave once, before what is sent next, and the others at its end", async () => {
      const socket: DatagramSocket = await socketWith((arrivals, replies) => {
        echo(arrivals, replies);
        socket.sendReplies(1);
        const peers = arrivals.peers.slice(0, ENDPOINT_BYTES);
        socket.sendMany({ slotSize: 4, bytes: Buffer.from("next"), lengths: Int32Array.of(4), peers }, 1);
        replies.lengths[0] = 1; // too late: that slot is done with
        socket.sendReplies(0);
        if (arrivals.count % 2 === 0) socket.sendReplies(arrivals.count + 1_000);
      });
      const client = await clientOf(socket);
      const sent = Array.from({ length: 30 }, (_, i) => `datagram ${i}`);
      for (const [i, text] of sent.entries()) {
        client.send(text);
        if (i % 7 === 6) await vi.waitUntil(() => socket.counters.received === i + 1, POLL);
      }
      const own = (): string[] => client.texts.filter((text) => text !== "next");
      await vi.waitFor(() => expect(own()).toEqual(sent), POLL);
      const { batches } = socket.counters;
      await vi.waitFor(() => expect(socket.counters.sent).toBe(30 + batches), POLL);
      await vi.waitFor(() => expect(client.texts).toHaveLength(30 + batches), POLL);
      expect(client.texts.slice(0, 2)).toEqual(["datagram 0", "next"]);
      socket.sendReplies(1); // there is no batch
      expect(socket.counters).toMatchObject({ sent: 30 + batches, sendFailures: 0, handlerFailures: 0 });
    });

    test("an answer sent later reaches the peer, and its bytes may be reused at once", async () => {
      const waiting: { peer: Uint8Array; local: Uint8Array }[] = [];
      const socket = await socketWith((arrivals) => {
        for (let i = 0; i < arrivals.count; i += 1) {
          const [from, to] = [i * ENDPOINT_BYTES, (i + 1) * ENDPOINT_BYTES];
          waiting.push({ peer: arrivals.peers.slice(from, to), local: arrivals.locals.slice(from, to) });
        }
      });
      const client = await clientOf(socket);
      client.send("a", "b");
      await vi.waitFor(() => expect(waiting).toHaveLength(2), POLL);
      const bytes = new Uint8Array(3);
      for (const [i, { peer, local }] of waiting.entries()) {
        bytes.fill(0x61 + i);
        socket.send(peer, 0, local, 0, bytes);
        bytes.fill(0);
      }
      await vi.waitFor(() => expect(client.texts).toEqual(["aaa", "bbb"]), POLL);
      await vi.waitFor(() => expect(socket.counters.sent).toBe(2), POLL);
    });

    test("any mixture of sizes and of answers now, later and never reaches exactly whom it should", async () => {
      const kinds = fc.sample(fc.constantFrom("now", "later", "never"), { numRuns: 300, seed: 1 });
      const sizes = fc.sample(fc.integer({ min: 0, max: 1_400 }), { numRuns: 300, seed: 2 });
      const waiting: (() => void)[] = [];
      const socket: DatagramSocket = await socketWith(
        (arrivals, replies) => {
          echo(arrivals, replies);
          for (let i = 0; i < arrivals.count; i += 1) {
            const text = textOf(arrivals, i);
            if (!text.startsWith("now")) replies.lengths[i] = 0;
            if (!text.startsWith("later")) continue;
            const peer = arrivals.peers.slice(i * ENDPOINT_BYTES, (i + 1) * ENDPOINT_BYTES);
            waiting.push(() => socket.send(peer, 0, arrivals.locals, 0, Buffer.from(text, "latin1")));
          }
        },
        { batchSize: 7, receiveBuffer: 2 ** 20 },
      );
      const clients = await Promise.all([clientOf(socket), clientOf(socket), clientOf(socket)]);
      const sent = kinds.map((kind, i) => `${kind} ${i} ${"x".repeat(sizes[i] ?? 0)}`);
      for (const [i, text] of sent.entries()) {
        clients[i % 3]?.send(text);
        if (i % 20 === 19) await vi.waitUntil(() => socket.counters.received === i + 1, POLL);
      }
      for (const answer of waiting) answer();
      const due = clients.map((_, c) => sent.filter((text, i) => i % 3 === c && !text.startsWith("never")).toSorted());
      await vi.waitFor(() => expect(clients.map((client) => client.texts.toSorted())).toEqual(due), POLL);
      await vi.waitFor(() => expect(socket.counters.sent).toBe(due.flat().length), POLL);
      expect(socket.counters).toMatchObject({ received: 300, truncated: 0, sendFailures: 0, handlerFailures: 0 });
    });

    test("what is sent leaves in the order in which it was given, by whichever call", async () => {
      const socket = await socketWith(() => {}, { replySlotSize: 8 });
      const client = await clientOf(socket);
      const [peer, nobody] = [recordOf(client.local), new Uint8Array(ENDPOINT_BYTES)];
      const send = (text: string): void => socket.send(peer, 0, nobody, 0, Buffer.from(text));
      send("one");
      send("two, longer than a slot");
      send("three");
      socket.sendMany({ slotSize: 4, bytes: Buffer.from("four"), lengths: Int32Array.of(4), peers: peer }, 1);
      send("five");
      const order = ["one", "two, longer than a slot", "three", "four", "five"];
      await vi.waitFor(() => expect(client.texts).toEqual(order), POLL);
    });

    test("records are read at their offset", async () => {
      const socket = await socketWith(() => {});
      const client = await clientOf(socket);
      const records = new Uint8Array(3 * ENDPOINT_BYTES);
      writeEndpoint(client.local, records, 2 * ENDPOINT_BYTES);
      socket.send(records, 2 * ENDPOINT_BYTES, records, 0, Buffer.from("here"));
      await vi.waitFor(() => expect(client.texts).toEqual(["here"]), POLL);
    });
  });

  describe(`${name}: sizes`, () => {
    test("an empty datagram arrives as length 0 and can be answered", async () => {
      const lengths: number[] = [];
      const socket = await socketWith((arrivals, replies) => {
        for (let i = 0; i < arrivals.count; i += 1) {
          lengths.push(arrivals.lengths[i] ?? -1);
          replies.bytes[i * replies.slotSize] = 0x21;
          replies.lengths[i] = 1;
        }
      });
      const client = await clientOf(socket);
      client.send(new Uint8Array(0));
      await vi.waitFor(() => expect(client.texts).toEqual(["!"]), POLL);
      expect(lengths).toEqual([0]);
    });

    test("the largest datagram travels whole in both directions", async () => {
      const socket = await socketWith(echo, { slotSize: 65_535, replySlotSize: 65_535, batchSize: 4 });
      const client = await clientOf(socket);
      const datagram = new Uint8Array(LARGEST_UDP).map((_, i) => i * 7);
      client.send(datagram);
      await vi.waitFor(() => expect(client.received).toHaveLength(1), POLL);
      expect(client.received[0]?.equals(datagram)).toBe(true);
      expect(socket.counters.truncated).toBe(0);
    });

    test("what is longer than a slot arrives cut and flagged; exactly a slot is not flagged", async () => {
      const seen: [string, number][] = [];
      const socket = await socketWith(
        (arrivals) => {
          for (let i = 0; i < arrivals.count; i += 1) seen.push([textOf(arrivals, i), arrivals.flags[i] ?? 0]);
        },
        { slotSize: 4 },
      );
      const client = await clientOf(socket);
      client.send("12345", "1234", "123456789", "1");
      await vi.waitFor(() => expect(seen).toHaveLength(4), POLL);
      expect(seen).toEqual([
        ["1234", TRUNCATED],
        ["1234", 0],
        ["1234", TRUNCATED],
        ["1", 0],
      ]);
      expect(socket.counters.truncated).toBe(2);
    });
  });

  describe(`${name}: what comes with a datagram`, () => {
    test("the peer's record names its address and port", async () => {
      const peers: (Endpoint | undefined)[] = [];
      const socket = await socketWith((arrivals) => void peers.push(readEndpoint(arrivals.peers, 0)));
      const client = await clientOf(socket);
      client.send("x");
      await vi.waitFor(() => expect(peers).toEqual([{ address: "127.0.0.1", port: client.local.port }]), POLL);
    });

    test("the local record names the address that was bound", async () => {
      const locals: (Endpoint | undefined)[] = [];
      const socket = await socketWith((arrivals) => void locals.push(readEndpoint(arrivals.locals, 0)), {
        local: { address: "127.0.44.1", port: 0 },
      });
      (await clientOf(socket)).send("x");
      await vi.waitFor(() => expect(locals).toEqual([{ address: "127.0.44.1", port: socket.local.port }]), POLL);
      expect(socket.lacking).not.toContain("local-address");
    });

    test("on a wildcard the local address is known, or said to be lacking", async () => {
      const locals: (Endpoint | undefined)[] = [];
      const socket = await socketWith((arrivals) => void locals.push(readEndpoint(arrivals.locals, 0)), {
        local: { address: "0.0.0.0", port: 0 },
      });
      const client = await LoopbackClient.to({ address: "127.0.0.1", port: socket.local.port });
      closers.push(() => client.close());
      client.send("x");
      await vi.waitFor(() => expect(locals).toHaveLength(1), POLL);
      expect(locals[0]?.address).toBe(socket.lacking.includes("local-address") ? undefined : "127.0.0.1");
    });

    test("IPv6 works like IPv4", async () => {
      const records: (Endpoint | undefined)[] = [];
      const socket = await socketWith(
        (arrivals, replies) => {
          records.push(readEndpoint(arrivals.peers, 0), readEndpoint(arrivals.locals, 0));
          echo(arrivals, replies);
        },
        { local: V6 },
      );
      const client = await clientOf(socket);
      client.send("six");
      await vi.waitFor(() => expect(client.texts).toEqual(["six"]), POLL);
      expect(records).toEqual([
        { address: "::1", port: client.local.port },
        { address: "::1", port: socket.local.port },
      ]);
    });

    test("the receive time is the host's when asked for, and 0 otherwise", async () => {
      const clock = new SystemClock();
      const stamps: number[] = [];
      const onBatch: BatchHandler = ({ receivedSeconds: s, receivedNanoseconds: ns }) =>
        void stamps.push((s[0] ?? 0) * 1_000_000 + (ns[0] ?? 0) / 1_000);
      const before = clock.wallMicros();
      (await clientOf(await socketWith(onBatch, { receiveTime: true }))).send("x");
      await vi.waitFor(() => expect(stamps).toHaveLength(1), POLL);
      expect(stamps[0]).toBeGreaterThanOrEqual(before);
      expect(stamps[0]).toBeLessThanOrEqual(clock.wallMicros());
      (await clientOf(await socketWith(onBatch))).send("x");
      await vi.waitFor(() => expect(stamps).toHaveLength(2), POLL);
      expect(stamps[1]).toBe(0);
    });
  });

  describe(`${name}: what goes wrong`, () => {
    test("a handler that fails is told once a second, every failure is counted, and the loop lives", async () => {
      const clock = new FakeClock();
      const told: string[] = [];
      const socket = await socketWith(echoUnlessPoison, {
        batchSize: 1,
        clock,
        onFailure: ({ message }) => told.push(message),
      });
      const client = await clientOf(socket);
      client.send("poison 1", "poison 2", "fine");
      await vi.waitFor(() => expect(client.texts).toEqual(["poison 1", "poison 2", "fine"]), POLL);
      expect(told).toEqual(["poison 1"]);
      clock.advance(seconds(1));
      client.send("poison 3", "fine");
      await vi.waitFor(() => expect(client.texts).toHaveLength(5), POLL);
      expect(told).toEqual(["poison 1", "poison 3"]);
      expect(socket.counters.handlerFailures).toBe(3);
    });

    test("closing inside the handler: no further batch, replies count as failed, the port is free", async () => {
      let calls = 0;
      const closed: Promise<void>[] = [];
      const socket = await socketWith(
        (arrivals, replies) => {
          calls += 1;
          echo(arrivals, replies);
          closed.push(socket.close());
        },
        { batchSize: 2 },
      );
      (await clientOf(socket)).send("a", "b", "c", "d", "e", "f");
      await vi.waitFor(() => expect(closed).toHaveLength(1), POLL);
      await closed[0];
      expect(calls).toBe(1);
      expect(socket.counters.sent).toBe(0);
      expect(socket.counters.sendFailures).toBeGreaterThanOrEqual(1);
      await socketWith(echo, { local: socket.local });
    });

    test("closing inside the handler after some replies were sent: those arrive, the others count as failed", async () => {
      const closed: Promise<void>[] = [];
      const socket = await socketWith(
        (arrivals, replies) => {
          echo(arrivals, replies);
          socket.sendReplies(1);
          closed.push(socket.close());
          socket.sendReplies(arrivals.count);
        },
        { batchSize: 2 },
      );
      const client = await clientOf(socket);
      client.send("a", "b");
      await vi.waitFor(() => expect(closed).toHaveLength(1), POLL);
      await closed[0];
      await vi.waitFor(() => expect(client.texts).toEqual(["a"]), POLL);
      const { received, sent, sendFailures } = socket.counters;
      expect([sent, sendFailures]).toEqual([1, received - 1]);
    });

    test("closing twice waits for the same end, and sending afterwards is a counted failure", async () => {
      const socket = await socketWith(echo);
      await Promise.all([socket.close(), socket.close()]);
      const peer = recordOf({ address: "127.0.0.1", port: 9 });
      socket.send(peer, 0, new Uint8Array(ENDPOINT_BYTES), 0, Buffer.from("x"));
      expect(socket.counters.sendFailures).toBe(1);
    });

    test.each<[string, Uint8Array, number]>([
      ["a peer with port 0", recordOf({ address: "127.0.0.1", port: 0 }), 1],
      ["an empty record", new Uint8Array(ENDPOINT_BYTES), 1],
      ["a peer of the other family", recordOf({ address: "::1", port: 9 }), 1],
      ["more bytes than a datagram holds", recordOf({ address: "127.0.0.1", port: 9 }), LARGEST_UDP + 1],
    ])("sending to %s is a counted failure and nothing is thrown", async (_what, peer, length) => {
      const socket = await socketWith(echo);
      socket.send(peer, 0, new Uint8Array(ENDPOINT_BYTES), 0, new Uint8Array(length));
      await vi.waitFor(() => expect(socket.counters.sendFailures).toBe(1), POLL);
      const client = await clientOf(socket);
      client.send("still here");
      await vi.waitFor(() => expect(client.texts).toEqual(["still here"]), POLL);
    });

    test("the granted receive buffer is reported, and a lack of it is said", async () => {
      const modest = await socketWith(echo, { receiveBuffer: 65_536 });
      expect(modest.grantedReceiveBuffer).toBeGreaterThanOrEqual(65_536);
      expect(modest.lacking).not.toContain("receive-buffer");
      const greedy = await socketWith(echo, { receiveBuffer: 2 ** 30 });
      expect(greedy.grantedReceiveBuffer).toBeGreaterThanOrEqual(65_536);
      expect(greedy.lacking.includes("receive-buffer")).toBe(greedy.grantedReceiveBuffer < 2 ** 30);
    });

    // Only Linux says how many datagrams the kernel dropped.
    test.skipIf(process.platform !== "linux")(
      "datagrams that overflow the receive buffer are seen as kernel drops",
      async () => {
        const socket = await socketWith(echo, { receiveBuffer: 8_192 });
        expect(socket.kernelDrops()).toBe(0);
        const client = await clientOf(socket);
        client.send(...Array.from({ length: 400 }, () => new Uint8Array(1_000)));
        await vi.waitFor(() => expect(socket.counters.received + (socket.kernelDrops() ?? 0)).toBe(400), POLL);
        expect(socket.kernelDrops()).toBeGreaterThan(0);
        expect(socket.counters.received).toBeGreaterThan(0);
      },
    );
  });

  describe(`${name}: binding`, () => {
    test("with port 0 the kernel's choice is reported", async () => {
      const socket = await socketWith(echo);
      expect(socket.local).toEqual({ address: "127.0.0.1", port: expect.any(Number) });
      expect(socket.local.port).toBeGreaterThan(0);
    });

    test("a port that is taken", async () => {
      const first = await socketWith(echo);
      const failure = await failureOf(socketWith(echo, { local: first.local }));
      expect(failure).toMatchObject({ code: "EADDRINUSE", local: first.local });
      expect(failure.message).toContain(`cannot bind udp 127.0.0.1:${first.local.port}: another program holds it`);
    });

    test.each<[string, Endpoint, string]>([
      ["an address of another machine", { address: "192.0.2.77", port: 0 }, "EADDRNOTAVAIL"],
      ["an IPv6 address of another machine", { address: "2001:db8::77", port: 0 }, "EADDRNOTAVAIL"],
    ])("%s", async (_what, local, code) => {
      const failure = await failureOf(socketWith(echo, { local }));
      expect(failure.code).toBe(code);
      expect(failure.message).toContain("the address is not on this machine; add it with `");
    });

    test.each<[string, Partial<DatagramSocketOptions>]>([
      ["a name instead of an address", { local: { address: "localhost", port: 0 } }],
      ["a port that is none", { local: { address: "127.0.0.1", port: 65_536 } }],
    ])("%s is refused with a BindError", async (_what, options) => {
      expect((await failureOf(socketWith(echo, options))).message).toMatch(/^cannot bind udp /);
    });
  });
}

/** Answers every datagram with its own bytes. */
function echo(arrivals: Arrivals, replies: Replies): void {
  for (let i = 0; i < arrivals.count; i += 1) {
    expect(endpointPort(arrivals.peers, i * ENDPOINT_BYTES)).toBeGreaterThan(0);
    const length = Math.min(arrivals.lengths[i] ?? 0, replies.slotSize);
    const begin = i * arrivals.slotSize;
    replies.bytes.set(arrivals.bytes.subarray(begin, begin + length), i * replies.slotSize);
    replies.lengths[i] = length;
  }
}

function echoUnlessPoison(arrivals: Arrivals, replies: Replies): void {
  echo(arrivals, replies);
  if (textOf(arrivals, 0).startsWith("poison")) throw new Error(textOf(arrivals, 0));
}

function textOf(arrivals: Arrivals, slot: number): string {
  const begin = slot * arrivals.slotSize;
  return Buffer.from(arrivals.bytes.subarray(begin, begin + (arrivals.lengths[slot] ?? 0))).toString("latin1");
}

function recordOf(endpoint: Endpoint): Uint8Array {
  const record = new Uint8Array(ENDPOINT_BYTES);
  expect(writeEndpoint(endpoint, record, 0)).toBe(true);
  return record;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}

async function failureOf(opening: Promise<unknown>): Promise<BindError> {
  const failure = await opening.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (failure instanceof BindError) return failure;
  throw new Error("a BindError was expected", { cause: failure });
}
