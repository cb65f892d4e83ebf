import { SystemClock } from "@stitch/clock";
import { createSocket, Socket } from "node:dgram";
import { expect, test, vi } from "vitest";
import { DgramSocket } from "../src/dgram-socket.ts";
import { describeDatagramSocket } from "./compliance.ts";
import { LoopbackClient } from "./loopback-client.ts";

describeDatagramSocket("node:dgram", (options) => DgramSocket.open(options));

const OPTIONS = {
  local: { address: "127.0.0.1", port: 0 },
  clock: new SystemClock(),
  slotSize: 512,
  replySlotSize: 512,
  batchSize: 8,
  receiveBuffer: 65_536,
  onBatch: () => {},
  onFailure: () => {},
};

test("what node:dgram cannot do is said, when it was asked for", async () => {
  const plain = await DgramSocket.open(OPTIONS);
  expect(plain.lacking).toEqual(["native-batches"]);
  const wanted = { receiveTime: true, receiveHopLimit: true, stampAt: 0, freeBind: true, trafficClass: 192 };
  const greedy = await DgramSocket.open({ ...OPTIONS, ...wanted });
  expect(greedy.implementation).toBe("dgram");
  expect(greedy.lacking).toEqual([
    "native-batches",
    "hop-limit",
    "kernel-receive-time",
    "send-stamp",
    "free-bind",
    "traffic-class",
  ]);
  await Promise.all([plain.close(), greedy.close()]);
});

test("an option that the system refuses leaves nothing open", async () => {
  const first = await DgramSocket.open(OPTIONS);
  const { local } = first;
  await first.close();
  await expect(DgramSocket.open({ ...OPTIONS, local, hopLimit: 300 })).rejects.toThrow("setTTL EINVAL");
  const again = await DgramSocket.open({ ...OPTIONS, local, hopLimit: 255 });
  await again.close();
});

type SendDone = (failure: Error | null, bytes: number) => void;

test("bytes that the system has yet to read are left alone; what finds no room is dropped and counted", async () => {
  let batch = 0;
  const socket = await DgramSocket.open({
    ...OPTIONS,
    batchSize: 1,
    replySlotSize: 4,
    onBatch: (_arrivals, replies) => {
      replies.bytes.fill((batch += 1));
      replies.lengths[0] = 4;
    },
  });
  const client = await LoopbackClient.to(socket.local);
  const waiting: { bytes: Uint8Array; done: SendDone }[] = [];
  client.send(...Array.from({ length: 20 }, () => "x")); // in the kernel before sending is taken over, read after
  const send = vi.spyOn(Socket.prototype, "send");
  send.mockImplementation(((
    all: Uint8Array,
    offset: number,
    length: number,
    _port: number,
    _to: string,
    done: SendDone,
  ) => {
    waiting.push({ bytes: all.subarray(offset, offset + length), done });
  }) as never);
  try {
    await vi.waitFor(() => expect(batch).toBe(20), { timeout: 5_000, interval: 2 });
    expect(waiting.map(({ bytes }) => [...bytes])).toEqual(Array.from({ length: 8 }, (_, i) => Array(4).fill(i + 1)));
    expect(socket.counters).toMatchObject({ received: 20, sent: 0, sendFailures: 12 });
    for (const { done } of waiting.splice(0)) done(null, 4);
    expect(socket.counters.sent).toBe(8);
  } finally {
    send.mockRestore();
  }
  client.send("x");
  await vi.waitFor(() => expect(client.received.at(-1)).toEqual(Buffer.alloc(4, 21)), { timeout: 5_000, interval: 2 });
  client.close();
  await socket.close();
});

test("closing delivers what was read and not yet handed over", async () => {
  let rounds = 0;
  for (let round = 0; round < 20; round += 1) {
    let delivered = 0;
    const socket = await DgramSocket.open({
      ...OPTIONS,
      batchSize: 64,
      onBatch: ({ count }) => void (delivered += count),
    });
    // Read in the same turn, after the socket under test: its message closes the other between reading and handing over.
    const trigger = createSocket("udp4");
    await new Promise<void>((resolve) => void trigger.bind(0, "127.0.0.1", resolve));
    const closed = new Promise<void>((resolve) => {
      trigger.on("message", () => void socket.close().then(resolve));
    });
    for (let i = 0; i < 10; i += 1) trigger.send("x", socket.local.port, "127.0.0.1");
    trigger.send("close", trigger.address().port, "127.0.0.1");
    await closed;
    trigger.close();
    expect(delivered).toBe(socket.counters.received);
    if (delivered > 0) rounds += 1;
  }
  expect(rounds, "in some rounds there was something to deliver").toBeGreaterThan(0);
});
