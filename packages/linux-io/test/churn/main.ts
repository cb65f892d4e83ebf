import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { seconds, SystemClock } from "@stitch/clock";
import { connectTcp, type Endpoint } from "../../src/index.ts";
import { descriptors } from "../faults/process.ts";
import { echo, LOOPBACK, openSet, openSocket, record } from "../faults/sockets.ts";

// `node --expose-gc main.ts SECONDS`: opens, sends and closes for so long, and prints what it did and what it left:
// descriptors, and by how many octets resident memory in the last third of the time was above that in the middle one (in
// the first, compilers and heaps find their size).

/** Of resident memory, over the whole time. */
const SAMPLES = 60;
const WAYS = ["terminated", "exits", "closes", "leaves"];
const clock = new SystemClock();
const done = { rounds: 0, datagrams: 0, answers: 0, connections: 0, refused: 0, abandoned: 0, workers: 0 };

/** Some sockets, a set that asks them, everything closed while datagrams are under way; every third from a handler. */
async function datagramRound(): Promise<void> {
  const heard = { answers: 0 };
  const locals: Endpoint[] = [LOOPBACK, { address: "0.0.0.0", port: 0 }, LOOPBACK];
  const sockets = await Promise.all(
    locals.map((local, i) => openSocket({ local, batchSize: 4 + i, receiveTime: done.rounds % 50 === i })),
  );
  const closing: Promise<void>[] = [];
  const last = await openSocket({
    onBatch: (arrivals, replies) => {
      echo(arrivals, replies);
      if (done.rounds % 3 === 0) closing.push(last.close());
    },
  });
  const set = openSet(({ count }) => void (heard.answers += count), { most: 16, batchSize: 4 });
  const peers = [...sockets, last].map(({ local: { port } }) => record({ address: "127.0.0.1", port }));
  const own = record(LOOPBACK);
  for (let i = 0; i < 16; i += 1) {
    const place = set.open(own, peers[i % 4] ?? own);
    if (set.send(place, Buffer.alloc(i * 40)) === 0) done.datagrams += 1;
  }
  set.closeSocket(3);
  const outgoing = {
    slotSize: 64,
    bytes: new Uint8Array(640),
    lengths: new Int32Array(10).fill(64),
    peers: new Uint8Array(240),
  };
  for (let i = 0; i < 10; i += 1) outgoing.peers.set(peers[i % 4] ?? own, i * 24);
  done.datagrams += last.sendMany(outgoing, 10);
  for (let i = 0; i < 20 && heard.answers < 8; i += 1) await new Promise(setImmediate);
  done.answers += heard.answers;
  await Promise.all([...sockets, last, set].map((each) => each.close()));
  await Promise.all(closing);
}

async function counted(end: "abandoned" | "refused", attempt: Promise<Socket>): Promise<void> {
  await attempt.then(
    (open) => void open.resetAndDestroy(),
    () => void (done[end] += 1),
  );
}

async function connectionRound(peer: Endpoint): Promise<void> {
  const stop = new AbortController();
  const ends = [
    counted("abandoned", connectTcp({ peer, clock, timeout: seconds(5), md5Password: "not theirs" }, stop.signal)),
    counted("refused", connectTcp({ peer: { ...peer, port: 1 }, clock, timeout: seconds(5) })),
  ];
  const socket = await connectTcp({ peer, clock, timeout: seconds(5), hopLimit: 255 });
  socket.resetAndDestroy(); // no TIME_WAIT: ports are finite
  done.connections += 1;
  stop.abort();
  await Promise.all(ends);
}

async function workerRound(): Promise<void> {
  const way = WAYS[done.workers % WAYS.length] ?? "closes";
  const worker = new Worker(new URL("../faults/flooded-worker.ts", import.meta.url), { workerData: way });
  const exit = once(worker, "exit");
  await Promise.race([once(worker, "message"), exit]);
  await worker.terminate();
  await exit;
  done.workers += 1;
}

function resident(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage.rss();
}

/** Of an odd or even count: the upper one. */
function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

const length = seconds(Number(process.argv[2]));
const server = createServer((socket) => socket.on("error", () => socket.destroy()).resume()).listen(0, "127.0.0.1");
await once(server, "listening");
const peer = { address: "127.0.0.1", port: (server.address() as AddressInfo).port };
const before = descriptors();
const samples: number[] = [];
const begin = clock.now();
for (let passed = 0; passed < length; passed = clock.now() - begin) {
  await datagramRound();
  if (done.rounds % 4 === 0) await connectionRound(peer);
  if (done.rounds % 40 === 0) await workerRound();
  done.rounds += 1;
  if (passed >= (samples.length * length) / SAMPLES) samples.push(resident());
}
for (let i = 0; i < 1_000 && descriptors() > before; i += 1)
  await new Promise((resolve) => void setTimeout(resolve, 5));
const left = descriptors() - before;
server.close();
const third = Math.floor(samples.length / 3);
const grown = median(samples.slice(-third)) - median(samples.slice(third, -third));
process.stdout.write(`${JSON.stringify({ ...done, left, grown, samples })}\n`);
