import { parentPort, workerData } from "node:worker_threads";
import { SystemClock, seconds } from "@stitch/clock";
import { connectTcp } from "../../src/index.ts";
import { echo, openSet, openSocket, record } from "./sockets.ts";

// Two sockets and a set that answer each other for ever, and a connection attempt that nobody answers; then the end,
// in the way that was asked for, from inside a handler.
const way: unknown = workerData;
let batches = 0;

const first = await openSocket({
  stampAt: 8,
  onBatch: (arrivals, replies) => {
    echo(arrivals, replies);
    batches += 1;
    if (batches === 20) parentPort?.postMessage("flooded", []);
    if (batches === 30) finish();
  },
});
const second = await openSocket({ local: { address: "127.0.0.1", port: 0 } });
const set = openSet((arrivals) => void set.send(arrivals.sockets[0] ?? -1, Buffer.alloc(64)));
const place = set.open(record({ address: "127.0.0.1", port: 0 }), record(second.local));
const silent = await openSocket({ onBatch: () => {} });
const stop = new AbortController();
const attempt = connectTcp(
  { peer: silent.local, clock: new SystemClock(), timeout: seconds(60), md5Password: "nobody" },
  stop.signal,
).catch(() => undefined);

for (let i = 0; i < 8; i += 1) {
  first.send(record(second.local), 0, record(first.local), 0, Buffer.alloc(64));
  set.send(place, Buffer.alloc(64));
}

function finish(): void {
  if (way === "exits") process.exit(0);
  if (way === "throws") setImmediate(() => Promise.reject(new Error("of a worker")));
  if (way === "closes") void closeAll();
  if (way === "leaves") {
    // closed, but the thread does not wait for it
    void closeAll();
    process.exit(0);
  }
}

async function closeAll(): Promise<void> {
  stop.abort();
  await Promise.all([first.close(), second.close(), set.close(), silent.close(), attempt]);
  parentPort?.close();
}
