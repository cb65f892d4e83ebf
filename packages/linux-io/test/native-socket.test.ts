import { SystemClock } from "@stitch/clock";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  ENDPOINT_BYTES,
  openDatagramSocket,
  readEndpoint,
  writeEndpoint,
  type Arrivals,
  type DatagramSocketOptions,
  type Replies,
} from "../src/index.ts";
import { NativeSocket } from "../src/native-socket.ts";
import { loadNative, type Native, type NativeUdpOptions } from "../src/native.ts";
import { ArrivalSlab, ReplySlab } from "../src/slabs.ts";
import { describeDatagramSocket } from "./compliance.ts";
import { LoopbackClient } from "./loopback-client.ts";

const POLL = { timeout: 5_000, interval: 2 };

/** Linux with a compiler, as in CI: there the addon must be there, and nothing below is left out. */
const loaded = loadNative();
const inCi = process.env["CI"] !== undefined && process.env["CI"] !== "";
const missing = !inCi && loaded.native === undefined;

describe.skipIf(missing)("the addon", () => {
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  describeDatagramSocket("recvmmsg and sendmmsg", (options) => NativeSocket.open(native(), options));

  async function socketWith(more: Partial<DatagramSocketOptions>): Promise<NativeSocket> {
    const socket = await NativeSocket.open(native(), {
      local: { address: "127.0.0.1", port: 0 },
      clock: new SystemClock(),
      slotSize: 512,
      replySlotSize: 512,
      batchSize: 8,
      receiveBuffer: 65_536,
      onBatch: echo,
      onFailure: () => {},
      ...more,
    });
    closers.push(() => socket.close());
    return socket;
  }

  async function clientOf(address: string, port: number): Promise<LoopbackClient> {
    const client = await LoopbackClient.to({ address, port });
    closers.push(() => client.close());
    return client;
  }

  test("is what openDatagramSocket takes where it is built", async () => {
    const socket = await openDatagramSocket({
      local: { address: "127.0.0.1", port: 0 },
      clock: new SystemClock(),
      slotSize: 64,
      replySlotSize: 64,
      batchSize: 1,
      receiveBuffer: 65_536,
      onBatch: echo,
      onFailure: () => {},
    });
    expect(socket.implementation).toBe("native");
    expect(socket.lacking).toEqual([]);
    await socket.close();
  });

  test.each([
    ["0.0.0.0", "127.0.77.53"],
    ["0.0.0.0", "127.0.77.54"],
    ["::", "::1"],
  ])("a socket on %s answers from the address that was asked: %s", async (any, asked) => {
    const locals: (string | undefined)[] = [];
    const socket = await socketWith({
      local: { address: any, port: 0 },
      onBatch: (arrivals, replies) => {
        locals.push(readEndpoint(arrivals.locals, 0)?.address);
        echo(arrivals, replies);
      },
    });
    const client = await clientOf(asked, socket.local.port); // connected: it hears nobody else
    client.send("whose");
    await vi.waitFor(() => expect(client.texts).toEqual(["whose"]), POLL);
    expect(locals).toEqual([asked]);
  });

  test("a later answer leaves from the address that was asked too", async () => {
    const waiting: { peer: Uint8Array; local: Uint8Array }[] = [];
    const socket = await socketWith({
      local: { address: "0.0.0.0", port: 0 },
      onBatch: ({ peers, locals }) =>
        void waiting.push({ peer: peers.slice(0, ENDPOINT_BYTES), local: locals.slice(0, ENDPOINT_BYTES) }),
    });
    const client = await clientOf("127.0.77.55", socket.local.port);
    client.send("later");
    await vi.waitFor(() => expect(waiting).toHaveLength(1), POLL);
    for (const { peer, local } of waiting) socket.send(peer, 0, local, 0, Buffer.from("now"));
    await vi.waitFor(() => expect(client.texts).toEqual(["now"]), POLL);
  });

  test("the hop limit of arrivals is known when asked for, and ours is set", async () => {
    const hops: number[] = [];
    const receiver = await socketWith({
      receiveHopLimit: true,
      onBatch: (arrivals) => void hops.push(arrivals.hopLimits[0] ?? 0),
    });
    const sender = await socketWith({ hopLimit: 255, trafficClass: 192 });
    const record = recordOf(receiver.local.address, receiver.local.port);
    sender.send(record, 0, record, 0, Buffer.from("x"));
    await vi.waitFor(() => expect(hops).toEqual([255]), POLL);
  });

  test("SO_REUSEPORT shares an address among those who ask for it, and with nobody else", async () => {
    const counts = [0, 0];
    const counted = (i: number) => (arrivals: Arrivals, replies: Replies) => {
      counts[i] = (counts[i] ?? 0) + arrivals.count;
      echo(arrivals, replies);
    };
    const first = await socketWith({ reusePort: true, onBatch: counted(0) });
    await socketWith({ reusePort: true, local: first.local, onBatch: counted(1) });
    await expect(socketWith({ local: first.local })).rejects.toMatchObject({ code: "EADDRINUSE" });
    for (let i = 0; i < 64; i += 1) (await clientOf("127.0.0.1", first.local.port)).send("x");
    await vi.waitFor(() => expect((counts[0] ?? 0) + (counts[1] ?? 0)).toBe(64), POLL);
    expect(Math.min(...counts)).toBeGreaterThan(0);
  });

  test("an address that is not here can be bound in advance", async () => {
    const socket = await socketWith({ local: { address: "192.0.2.77", port: 0 }, freeBind: true });
    expect(socket.local.address).toBe("192.0.2.77");
  });

  test("an option that the system refuses is an error of its own and leaves nothing open", async () => {
    const first = await socketWith({});
    const { local } = first;
    await first.close();
    await expect(socketWith({ local, hopLimit: 300 })).rejects.toMatchObject({ code: "EINVAL", syscall: "setsockopt" });
    await socketWith({ local, hopLimit: 255 });
  });

  test("a stamp is the wall time of sending as NTP writes it, and touches nothing else", async () => {
    const clock = new SystemClock();
    const socket = await socketWith({
      stampAt: 4,
      onBatch: (arrivals, replies) => {
        for (let i = 0; i < arrivals.count; i += 1) {
          replies.bytes.fill(0xaa, i * replies.slotSize, i * replies.slotSize + 16);
          replies.lengths[i] = arrivals.lengths[i] === 1 ? 16 : 8;
        }
      },
    });
    const client = await clientOf("127.0.0.1", socket.local.port);
    const before = clock.wallMicros();
    client.send("1", "too short for a stamp");
    await vi.waitFor(() => expect(client.received).toHaveLength(2), POLL);
    const after = clock.wallMicros();
    const [stamped = Buffer.alloc(0), short = Buffer.alloc(0)] = client.received;
    const micros = (stamped.readUInt32BE(4) - 2_208_988_800) * 1e6 + (stamped.readUInt32BE(8) / 2 ** 32) * 1e6;
    expect(micros).toBeGreaterThanOrEqual(before - 1);
    expect(micros).toBeLessThanOrEqual(after + 1);
    expect([...stamped.subarray(0, 4), ...stamped.subarray(12)]).toEqual(Array(8).fill(0xaa));
    expect([...short]).toEqual(Array(8).fill(0xaa));
  });

  test("sendMany reaches each record, counts what cannot be sent, and is done with all of it", async () => {
    const socket = await socketWith({ batchSize: 4 });
    const clients = await Promise.all([
      clientOf("127.0.0.1", socket.local.port),
      clientOf("127.0.0.1", socket.local.port),
    ]);
    const count = 21;
    const outgoing = {
      slotSize: 8,
      bytes: new Uint8Array(count * 8),
      lengths: new Int32Array(count).fill(2),
      peers: new Uint8Array(count * ENDPOINT_BYTES),
    };
    for (let i = 0; i < count; i += 1) {
      outgoing.bytes.set([0x61 + i, 0x2e], i * 8);
      const client = clients[i % 2];
      if (client !== undefined) writeEndpoint(client.local, outgoing.peers, i * ENDPOINT_BYTES);
    }
    outgoing.lengths[5] = 9; // longer than its slot
    outgoing.peers[6 * ENDPOINT_BYTES] = 0; // nobody
    expect(socket.sendMany(outgoing, count)).toBe(count);
    await vi.waitFor(() => expect(clients.map(({ received }) => received.length)).toEqual([10, 9]), POLL);
    expect(clients[0]?.texts[1]).toBe("c.");
    expect(socket.counters).toMatchObject({ sent: 19, sendFailures: 2 });
  });

  test("a socket with a peer hears nobody else and needs no records", async () => {
    const heard: string[] = [];
    const server = await socketWith({});
    const socket = await socketWith({
      peer: server.local,
      onBatch: (arrivals) => void heard.push(Buffer.from(arrivals.bytes.subarray(0, arrivals.lengths[0])).toString()),
    });
    const stranger = await socketWith({});
    const record = recordOf(socket.local.address, socket.local.port);
    stranger.send(record, 0, record, 0, Buffer.from("forged"));
    const slots = { slotSize: 5, bytes: Buffer.from("right"), lengths: Int32Array.of(5), peers: new Uint8Array(0) };
    expect(socket.sendMany(slots, 1)).toBe(1);
    await vi.waitFor(() => expect(heard).toEqual(["right"]), POLL);
  });

  test("a flood without end lets timers and other sockets have their turn", async () => {
    const { promise: turn, resolve } = Promise.withResolvers<void>();
    const patience = 5_000;
    let calls = 0;
    const socket: NativeSocket = await socketWith({
      batchSize: 1,
      onBatch: () => {
        calls += 1;
        if (calls === 1) setImmediate(resolve);
        const own = recordOf(socket.local.address, socket.local.port);
        if (calls < patience) socket.send(own, 0, own, 0, Buffer.from("again"));
      },
    });
    const own = recordOf(socket.local.address, socket.local.port);
    socket.send(own, 0, own, 0, Buffer.from("to itself"));
    await turn;
    expect(calls).toBeLessThan(patience);
    await socket.close();
  });

  test("sendMany on a closed socket is done with everything: failures, and nothing to offer again", async () => {
    const socket = await socketWith({});
    await socket.close();
    const peers = recordOf("127.0.0.1", 9);
    expect(socket.sendMany({ slotSize: 1, bytes: Buffer.from("x"), lengths: Int32Array.of(1), peers }, 1)).toBe(1);
    expect(socket.counters).toMatchObject({ sent: 0, sendFailures: 1 });
  });

  test("handles of another kind, arrays that are too small and functions that are none are refused", async () => {
    const [one, two] = [new NativeSocketFacts(), new NativeSocketFacts()];
    const set = native().setCreate({ most: 1, arrivals: one.arrivals, sockets: one.arrivals.sockets }, () => {});
    const refused = { code: "ERR_INVALID_ARG_TYPE" };
    const wrong: (() => unknown)[] = [
      () => native().udpDrops(set),
      () => native().tcpTake(set),
      () => native().udpSend(set, one.record, 0, one.record, 0, one.record),
      () => native().udpSendMany({} as never, one.record, 1, Int32Array.of(1), one.record, 1),
      () => native().setOpen(set, 1, one.record, one.record),
      () => native().setOpen(set, -1, one.record, one.record),
      () => native().setSend(set, 0x7fff_ffff, one.record),
      () => native().setCreate({ most: 131_073, arrivals: two.arrivals, sockets: two.arrivals.sockets }, () => {}),
      () => native().setCreate({ most: 1, arrivals: two.arrivals, sockets: one.arrivals.sockets }, () => {}),
      () => native().udpOpen(two.options, "no function" as never),
      () => native().udpOpen({ ...two.options, replySlotSize: 65 }, () => {}),
      () => native().udpOpen({ ...two.options, counters: new Float64Array(5) }, () => {}),
      () =>
        native().udpOpen({ ...two.options, arrivals: { ...two.arrivals, capacity: 0x7fff_ffff } as never }, () => {}),
      () => native().udpOpen({ ...two.options, arrivals: { ...two.arrivals, slotSize: -1 } as never }, () => {}),
      () =>
        native().udpOpen(
          { ...two.options, arrivals: { ...two.arrivals, peers: new Uint8Array(999) } as never },
          () => {},
        ),
      () => (native().tcpState as (...args: unknown[]) => unknown)(),
      () => native().tcpConnect({} as never, () => {}),
    ];
    for (const call of wrong) expect(call).toThrow(expect.objectContaining(refused));
    await new Promise<void>((resolve) => native().setClose(set, resolve));
  });

  test("sending offsets and lengths beyond their arrays are refused", async () => {
    const facts = new NativeSocketFacts();
    const socket = native().udpOpen(facts.options, () => {});
    const { record } = facts;
    const wrong: (() => unknown)[] = [
      () => native().udpSend(socket, record, 1, record, 0, record),
      () => native().udpSend(socket, record, -1, record, 0, record),
      () => native().udpSend(socket, record, 0x7fff_ffff, record, 0, record),
      () => native().udpSendMany(socket, record, 0x7fff_ffff, Int32Array.of(1), record, 1),
      () => native().udpSendMany(socket, record, 1, Int32Array.of(1), record, 2),
      () => native().udpSendMany(socket, record, 1, Int32Array.of(1), record, -1),
      () => native().udpSendMany(socket, record, 24, Int32Array.of(1, 1), new Uint8Array(48), 2),
      () => native().udpSendMany(socket, record, 1, Int32Array.of(1, 1), record, 2),
    ];
    for (const call of wrong) expect(call).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARG_TYPE" }));
    const taken = new Uint8Array(24);
    structuredClone(taken, { transfer: [taken.buffer] });
    expect(() => native().udpSend(socket, taken, 0, record, 0, record)).toThrow(TypeError);
    native().udpSend(socket, record, 0, taken, 0, taken);
    await new Promise<void>((resolve) => native().udpClose(socket, resolve));
    expect(facts.counters[4]).toBe(1); // an empty datagram
  });

  test("nobody at the other end of a connected socket does not end its loop", async () => {
    const gone = await socketWith({});
    const { local: nobody } = gone;
    await gone.close();
    const heard: number[] = [];
    const socket = await socketWith({ peer: nobody, onBatch: ({ count }) => void heard.push(count) });
    const slots = { slotSize: 1, bytes: Buffer.from("x"), lengths: Int32Array.of(1), peers: new Uint8Array(0) };
    for (let i = 0; i < 5; i += 1) socket.sendMany(slots, 1);
    const back = await socketWith({ local: nobody });
    const record = recordOf(socket.local.address, socket.local.port);
    await vi.waitFor(() => {
      back.send(record, 0, record, 0, Buffer.from("here again"));
      expect(heard.length).toBeGreaterThan(0);
    }, POLL);
  });
});

/** What the addon is given for a socket on loopback, without the TypeScript face. */
class NativeSocketFacts {
  readonly record = recordOf("127.0.0.1", 9);
  readonly arrivals = new ArrivalSlab(4, 64);
  readonly replies = new ReplySlab(4, 64);
  readonly counters = new Float64Array(6);
  readonly options: NativeUdpOptions = {
    local: recordOf("127.0.0.1", 0),
    peer: new Uint8Array(ENDPOINT_BYTES),
    arrivals: this.arrivals,
    replyBuffer: this.replies.buffer,
    replyBytes: this.replies.bytes,
    replyLengths: this.replies.lengths,
    replySlotSize: 64,
    counters: this.counters,
    stampAt: -1,
    receiveBuffer: 0,
    hopLimit: 0,
    trafficClass: -1,
    reusePort: false,
    freeBind: false,
    receiveTime: false,
    receiveHopLimit: false,
    receiveLocal: false,
    granted: 0,
  };
}

function native(): Native {
  if (loaded.native === undefined) throw new Error(loaded.why);
  return loaded.native;
}

function echo(arrivals: Arrivals, replies: Replies): void {
  for (let i = 0; i < arrivals.count; i += 1) {
    const length = Math.min(arrivals.lengths[i] ?? 0, replies.slotSize);
    const begin = i * arrivals.slotSize;
    replies.bytes.set(arrivals.bytes.subarray(begin, begin + length), i * replies.slotSize);
    replies.lengths[i] = length;
  }
}

function recordOf(address: string, port: number): Uint8Array {
  const record = new Uint8Array(ENDPOINT_BYTES);
  expect(writeEndpoint({ address, port }, record, 0)).toBe(true);
  return record;
}
