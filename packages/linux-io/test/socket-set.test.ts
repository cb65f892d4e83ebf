import { createSocket } from "node:dgram";
import { once } from "node:events";
import { constants } from "node:os";
import { SystemClock } from "@stitch/clock";
import { afterEach, describe, expect, test, vi } from "vitest";
import { DgramSocketSet } from "../src/dgram-socket-set.ts";
import {
  ENDPOINT_BYTES,
  loadNative,
  SEND_ERROR,
  TRUNCATED,
  writeEndpoint,
  type Endpoint,
  type SetArrivals,
  type SocketSet,
  type SocketSetOptions,
} from "../src/index.ts";
import { NativeSocketSet } from "../src/native-socket-set.ts";
import { DgramSocket } from "../src/dgram-socket.ts";

const loaded = loadNative();
const inCi = process.env["CI"] !== undefined && process.env["CI"] !== "";
const missing = !inCi && loaded.native === undefined;
const { errno } = constants;
const POLL = { timeout: 5_000, interval: 2 };
const ANY_PORT = recordOf({ address: "127.0.0.1", port: 0 });

describe.skipIf(missing)("a native set", () => {
  describeSocketSet((options) => {
    if (loaded.native === undefined) throw new Error(loaded.why);
    return new NativeSocketSet(loaded.native, options);
  });
});

describe("a set of node:dgram sockets", () => {
  describeSocketSet((options) => new DgramSocketSet(options));
});

function describeSocketSet(create: (options: SocketSetOptions) => SocketSet): void {
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  function setWith(onBatch: (arrivals: SetArrivals) => void, more: Partial<SocketSetOptions> = {}): SocketSet {
    const defaults = { clock: new SystemClock(), most: 64, slotSize: 64, batchSize: 16, onFailure: () => {} };
    const set = create({ ...defaults, onBatch, ...more });
    closers.push(() => set.close());
    return set;
  }

  /** A server that answers each datagram with its octets, and knows from which ports it was asked. */
  async function server(): Promise<{ record: Uint8Array; local: Endpoint; ports: Set<number> }> {
    const ports = new Set<number>();
    const socket = await DgramSocket.open({
      local: { address: "127.0.0.1", port: 0 },
      clock: new SystemClock(),
      slotSize: 512,
      replySlotSize: 512,
      batchSize: 32,
      receiveBuffer: 262_144,
      onFailure: () => {},
      onBatch: (arrivals, replies) => {
        for (let i = 0; i < arrivals.count; i += 1) {
          ports.add(
            ((arrivals.peers[i * ENDPOINT_BYTES + 2] ?? 0) << 8) | (arrivals.peers[i * ENDPOINT_BYTES + 3] ?? 0),
          );
          const length = arrivals.lengths[i] ?? 0;
          replies.bytes.set(arrivals.bytes.subarray(i * 512, i * 512 + length), i * 512);
          replies.lengths[i] = length;
        }
      },
    });
    closers.push(() => socket.close());
    return { record: recordOf(socket.local), local: socket.local, ports };
  }

  test("a socket that is closed in the turn in which it was opened harms nobody, whoever gets its place", async () => {
    let heard = "";
    const set = setWith(
      (arrivals) => (heard += Buffer.from(arrivals.bytes.subarray(0, arrivals.lengths[0])).toString()),
    );
    const { record, ports } = await server();
    const first = set.open(ANY_PORT, record);
    expect(set.send(first, Buffer.from("first"))).toBe(0);
    set.closeSocket(first);
    const second = set.open(ANY_PORT, record);
    expect(set.send(second, Buffer.from("second"))).toBe(0);
    await vi.waitFor(() => expect(heard).toBe("second"), POLL);
    expect(ports.size).toBeGreaterThan(0);
  });

  test("every socket has its own port, and hears the answers to its own questions", async () => {
    const heard = new Map<number, string>();
    const set = setWith((arrivals) => {
      for (const [place, text] of texts(arrivals)) heard.set(place, text);
    });
    const { record, ports } = await server();
    const places = Array.from({ length: 40 }, () => set.open(ANY_PORT, record));
    expect(new Set(places).size).toBe(40);
    for (const place of places) expect(set.send(place, Buffer.from(`question ${place}`))).toBe(0);
    await vi.waitFor(() => expect(heard.size).toBe(40), POLL);
    for (const place of places) expect(heard.get(place)).toBe(`question ${place}`);
    expect(ports.size).toBe(40);
    expect(set.size).toBe(40);
  });

  test("no batch is larger than asked for", async () => {
    const sizes: number[] = [];
    const set = setWith(({ count }) => void sizes.push(count), { batchSize: 4 });
    const { record } = await server();
    for (let i = 0; i < 30; i += 1) set.send(set.open(ANY_PORT, record), Buffer.from("x"));
    await vi.waitFor(() => expect(sizes.reduce((sum, n) => sum + n, 0)).toBe(30), POLL);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(4);
  });

  test("only the peer is heard", async () => {
    const heard: string[] = [];
    const set = setWith((arrivals) => void heard.push(...texts(arrivals).map(([, text]) => text)));
    const [asked, stranger] = [await server(), await server()];
    const place = set.open(ANY_PORT, asked.record);
    const other = set.open(ANY_PORT, stranger.record);
    set.send(place, Buffer.from("x"));
    await vi.waitFor(() => expect(heard).toEqual(["x"]), POLL);
    expect(other).toBeGreaterThanOrEqual(0);
    expect([...asked.ports].some((port) => stranger.ports.has(port))).toBe(false);
  });

  test("what is longer than a slot is cut and flagged", async () => {
    const flags: number[] = [];
    const set = setWith((arrivals) => void flags.push(arrivals.flags[0] ?? 0, arrivals.lengths[0] ?? 0), {
      slotSize: 8,
    });
    const { record } = await server();
    set.send(set.open(ANY_PORT, record), Buffer.alloc(9));
    await vi.waitFor(() => expect(flags).toEqual([TRUNCATED, 8]), POLL);
  });

  test("a port that nobody listens on is told as an error of the socket that asked", async () => {
    const errors: [number, number][] = [];
    const set = setWith((arrivals) => {
      for (let i = 0; i < arrivals.count; i += 1) {
        if (((arrivals.flags[i] ?? 0) & SEND_ERROR) !== 0)
          errors.push([arrivals.sockets[i] ?? -1, arrivals.lengths[i] ?? 0]);
      }
    });
    const gone = await server();
    await closers.pop()?.();
    const place = set.open(ANY_PORT, gone.record);
    set.send(place, Buffer.from("x"));
    await vi.waitFor(() => expect(errors).toEqual([[place, 111]]), POLL);
  });

  test("places are given again after closing, and what is closed takes nothing", async () => {
    const set = setWith(() => {}, { most: 2 });
    const { record } = await server();
    const [a, b] = [set.open(ANY_PORT, record), set.open(ANY_PORT, record)];
    expect(set.open(ANY_PORT, record)).toBe(-errno.EMFILE);
    set.closeSocket(a);
    expect(set.send(a, Buffer.from("x"))).toBe(-errno.EBADF);
    expect(set.open(ANY_PORT, record)).toBe(a);
    set.closeSocket(b);
    set.closeSocket(b);
    expect(set.size).toBe(1);
  });

  test("a handler that closes sockets, or fails, leaves the set working", async () => {
    let calls = 0;
    const failures: string[] = [];
    const set: SocketSet = setWith(
      (arrivals) => {
        calls += 1;
        set.closeSocket(arrivals.sockets[0] ?? -1);
        throw new Error("of the handler");
      },
      { batchSize: 2, onFailure: ({ message }) => failures.push(message) },
    );
    const { record } = await server();
    for (let i = 0; i < 12; i += 1) set.send(set.open(ANY_PORT, record), Buffer.from("x"));
    await vi.waitFor(() => expect(calls).toBeGreaterThanOrEqual(6), POLL);
    expect(failures).toEqual(["of the handler"]);
  });

  test("the handler may close the whole set", async () => {
    let closed: Promise<void> | undefined;
    let calls = 0;
    const set: SocketSet = setWith(
      () => {
        calls += 1;
        closed ??= set.close();
      },
      { batchSize: 1 },
    );
    const { record } = await server();
    for (let i = 0; i < 5; i += 1) set.send(set.open(ANY_PORT, record), Buffer.from("x"));
    await vi.waitFor(() => expect(closed).toBeDefined(), POLL);
    await closed;
    expect(calls).toBe(1);
    expect(set.open(ANY_PORT, record)).toBe(-errno.EMFILE);
  });

  test("a place that is closed and opened again in one batch does not take the old socket's datagrams for its own", async () => {
    const answers: [number, string][] = [];
    let second = -1;
    const set: SocketSet = setWith(
      (arrivals) => {
        answers.push(...texts(arrivals));
        if (second >= 0) return;
        set.closeSocket(arrivals.sockets[0] ?? -1);
        second = set.open(ANY_PORT, record);
      },
      { most: 1, batchSize: 8 },
    );
    const { record } = await server();
    const first = set.open(ANY_PORT, record);
    for (let i = 0; i < 3; i += 1) set.send(first, Buffer.from("for the first"));
    await vi.waitFor(() => expect(second).toBeGreaterThanOrEqual(0), POLL);
    expect(second).not.toBe(first);
    set.send(second, Buffer.from("for the second"));
    await vi.waitFor(() => expect(answers).toContainEqual([second, "for the second"]), POLL);
    expect(answers.filter(([place]) => place === second)).toEqual([[second, "for the second"]]);
    expect(set.open(ANY_PORT, record)).toBeLessThan(0); // one is the most
    expect(set.size).toBe(1);
  });

  test("a peer that answers without end lets timers and other sockets have their turn", async () => {
    const { promise: turn, resolve } = Promise.withResolvers<void>();
    const patience = 5_000;
    let calls = 0;
    const set: SocketSet = setWith(
      (arrivals) => {
        calls += 1;
        if (calls === 1) setImmediate(resolve);
        if (calls < patience) set.send(arrivals.sockets[0] ?? -1, Buffer.from("again"));
      },
      { batchSize: 1 },
    );
    const own = await freePort();
    set.send(set.open(own, own), Buffer.from("to itself"));
    await turn;
    expect(calls).toBeLessThan(patience);
    await set.close();
  });

  test("without an own address or a peer there is no socket", () => {
    const set = setWith(() => {});
    expect(set.open(new Uint8Array(ENDPOINT_BYTES), ANY_PORT)).toBe(-errno.EAFNOSUPPORT);
    expect(set.open(ANY_PORT, new Uint8Array(ENDPOINT_BYTES))).toBe(-errno.EAFNOSUPPORT);
    expect(set.send(63, Buffer.from("x"))).toBe(-errno.EBADF);
    expect(set.size).toBe(0);
  });

  test("an address of another machine gives no place, or an error in the place's name", async () => {
    const errors: number[] = [];
    const set = setWith((arrivals) => void errors.push(arrivals.flags[0] ?? 0));
    const { record } = await server();
    const place = set.open(recordOf({ address: "192.0.2.1", port: 0 }), record);
    await vi.waitFor(() => expect(errors).toEqual(place >= 0 ? [SEND_ERROR] : []), POLL);
    expect(set.size).toBe(place >= 0 ? 1 : 0);
  });
}

/** Of this machine, and of nobody a moment ago. */
async function freePort(): Promise<Uint8Array> {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { address, port } = socket.address();
  await new Promise<void>((resolve) => void socket.close(() => resolve()));
  return recordOf({ address, port });
}

function texts(arrivals: SetArrivals): [number, string][] {
  return Array.from({ length: arrivals.count }, (_, i) => {
    const begin = i * arrivals.slotSize;
    const bytes = arrivals.bytes.subarray(begin, begin + (arrivals.lengths[i] ?? 0));
    return [arrivals.sockets[i] ?? -1, Buffer.from(bytes).toString("latin1")];
  });
}

function recordOf(endpoint: Endpoint): Uint8Array {
  const record = new Uint8Array(ENDPOINT_BYTES);
  expect(writeEndpoint(endpoint, record, 0)).toBe(true);
  return record;
}
