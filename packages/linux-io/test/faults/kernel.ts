import { datagrams, openSet, openSocket, record, until } from "./sockets.ts";

const COUNT = 2_000;

/**
 * Run with faulty-kernel.c preloaded: calls are interrupted, sent in part, refused for want of room. Every datagram must
 * arrive once, in order.
 */
export async function interruptedAndFull(): Promise<unknown> {
  const order: number[] = [];
  const receiver = await openSocket({
    onBatch: (arrivals) => void order.push(...datagrams(arrivals).map((bytes) => bytes.readUInt32BE(0))),
    receiveBuffer: 16 * 2 ** 20,
  });
  const sender = await openSocket();
  const [to, nobody, bytes] = [record(receiver.local), new Uint8Array(24), Buffer.alloc(64)];
  for (let i = 0; i < COUNT; i += 1) {
    bytes.writeUInt32BE(i, 0);
    sender.send(to, 0, nobody, 0, bytes);
    if (i % 100 === 99) await until(() => order.length === i + 1);
  }
  const bySend = inOrder(order.splice(0));
  const many = await sendMany(sender, to, order);
  const { sent, sendFailures } = sender.counters;
  return { bySend, many, sent, sendFailures, received: receiver.counters.received };
}

/** Every tenth cannot be sent at all (its length is a lie): counted once, and nobody beside it is lost or sent twice. */
async function sendMany(sender: Awaited<ReturnType<typeof openSocket>>, to: Uint8Array, order: number[]) {
  const bytes = Buffer.alloc(COUNT * 4);
  const lengths = new Int32Array(COUNT).fill(4);
  const peers = new Uint8Array(COUNT * 24);
  for (let i = 0; i < COUNT; i += 1) {
    bytes.writeUInt32BE(i, i * 4);
    peers.set(to, i * 24);
    if (i % 10 === 5) lengths[i] = 5;
  }
  let done = 0;
  let calls = 0;
  while (done < COUNT) {
    const rest = {
      slotSize: 4,
      bytes: bytes.subarray(done * 4),
      lengths: lengths.subarray(done),
      peers: peers.subarray(done * 24),
    };
    const some = sender.sendMany(rest, Math.min(200, COUNT - done));
    done += some;
    calls += 1;
    await new Promise(setImmediate);
  }
  await until(() => order.length >= COUNT * 0.9);
  const due = Array.from({ length: COUNT }, (_, i) => i).filter((i) => i % 10 !== 5);
  return {
    exact: order.length === due.length && order.every((number, i) => number === due[i]),
    severalCalls: calls > 10,
  };
}

/** A queue below the socket that never has room: given up after 64 refusals, all of what waits at once. */
export async function neverRoom(): Promise<unknown> {
  const sender = await openSocket();
  const to = record(sender.local);
  const count = 5_000; // at 64 x 2 ms each these would take ten minutes
  for (let i = 0; i < count; i += 1) sender.send(to, 0, to, 0, Buffer.from("x"));
  await until(() => sender.counters.sendFailures === count);
  return { failed: sender.counters.sendFailures, sent: sender.counters.sent };
}

/** Reading fails now and then: the loop lives, and what the kernel has is read later. */
export async function readingFails(): Promise<unknown> {
  const heard: number[] = [];
  const receiver = await openSocket();
  const set = openSet((arrivals) => {
    for (const bytes of datagrams(arrivals)) if (bytes.length === 4) heard.push(bytes.readUInt32BE(0));
  });
  const place = set.open(record({ address: "127.0.0.1", port: 0 }), record(receiver.local));
  for (let i = 0; i < 200; i += 1) {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(i, 0);
    await until(() => set.send(place, bytes) === 0);
    await until(() => heard.length === i + 1);
  }
  return { inOrder: inOrder(heard) };
}

function inOrder(numbers: readonly number[]): boolean {
  return numbers.length > 0 && numbers.every((number, i) => number === i);
}
