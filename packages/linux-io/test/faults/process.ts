import { readdirSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { seconds, SystemClock } from "@stitch/clock";
import { connectTcp } from "../../src/index.ts";
import { datagrams, LOOPBACK, native, openSet, openSocket, record, until } from "./sockets.ts";

function codeOf(failure: unknown): { code: string; message: string } {
  const { code = "", message } = failure as NodeJS.ErrnoException;
  return { code, message };
}

/** Started with a low `ulimit -n`: what cannot be opened says so, and closing makes room. */
export async function outOfDescriptors(): Promise<unknown> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const open = [await openSocket()];
  let refused: unknown;
  while (refused === undefined) {
    try {
      open.push(await openSocket());
    } catch (failure) {
      refused = failure;
    }
  }
  const peer = { address: "127.0.0.1", port: (server.address() as AddressInfo).port };
  const tcp = await connectTcp({ peer, clock: new SystemClock(), timeout: seconds(5) }).catch(codeOf);
  await open.pop()?.close();
  const set = openSet(() => {});
  const place = set.open(record(LOOPBACK), record(LOOPBACK));
  await set.close();
  const again = await openSocket();
  server.close();
  await Promise.all([...open, again].map((socket) => socket.close()));
  return { opened: open.length, udp: codeOf(refused), tcp, place };
}

/** A role that gives the slab away: from then on nothing is written to it, and the defect ends in an uncaught error. */
export async function slabTransferred(): Promise<unknown> {
  const errors: string[] = [];
  process.on("uncaughtException", ({ message }) => void errors.push(message));
  let stolen: ArrayBuffer | undefined;
  let calls = 0;
  const socket = await openSocket({
    onBatch: (arrivals, replies) => {
      calls += 1;
      replies.lengths[0] = 1;
      stolen = (arrivals.bytes.buffer as ArrayBuffer).transfer();
      socket.sendReplies(1);
    },
  });
  const client = await openSocket();
  const send = (): void => client.send(record(socket.local), 0, record(client.local), 0, Buffer.from("x"));
  send();
  await until(() => errors.length > 0);
  const before = Buffer.from(stolen ?? new ArrayBuffer(0)).toString("hex");
  for (let i = 0; i < 5; i += 1) send();
  const other = await openSocket({ onBatch: () => void (calls += 100) });
  client.send(record(other.local), 0, record(client.local), 0, Buffer.from("x"));
  await until(() => calls >= 100); // the loop lives
  const untouched = Buffer.from(stolen ?? new ArrayBuffer(1)).toString("hex") === before;
  await Promise.all([socket.close(), client.close(), other.close()]);
  return { errors, calls, untouched, sent: socket.counters.sent };
}

/** An exception that gets through to the addon surfaces once, and the loop lives. */
export async function handlerThrowsIntoTheAddon(): Promise<unknown> {
  const errors: string[] = [];
  process.on("uncaughtException", ({ message }) => void errors.push(message));
  let calls = 0;
  const { sockets: set, send } = rawSet(() => {
    calls += 1;
    if (calls === 1) throw new Error("of the handler");
  });
  send();
  await until(() => errors.length > 0);
  send();
  await until(() => calls === 2);
  await new Promise<void>((resolve) => native().setClose(set, resolve));
  return { errors, calls };
}

/** Nobody holds the set any more, and the collector takes what stood for it while its handles are open. */
export async function collectedWhileOpen(): Promise<unknown> {
  const collect = globalThis.gc;
  if (collect === undefined) throw new Error("run with --expose-gc");
  const seen = { calls: 0, collected: false };
  const registry = new FinalizationRegistry(() => void (seen.collected = true));
  const forget = (): void => {
    const { sockets, send } = rawSet(() => void (seen.calls += 1));
    registry.register(sockets, undefined);
    send();
  };
  forget();
  await until(() => {
    collect();
    return seen.collected && seen.calls === 1;
  });
  return seen;
}

/** A set of one socket that is its own peer, without the TypeScript face. */
function rawSet(handler: () => void) {
  const buffer = new ArrayBuffer(512);
  const words = (at: number) => ({ at, i32: new Int32Array(buffer, at, 1), u32: new Uint32Array(buffer, at, 1) });
  const octets = (at: number, length: number) => new Uint8Array(buffer, at, length);
  const arrivals = {
    capacity: 1,
    slotSize: 64,
    buffer,
    lengths: words(0).i32,
    receivedSeconds: words(4).u32,
    receivedNanoseconds: words(8).u32,
    flags: octets(16, 1),
    hopLimits: octets(17, 1),
    peers: octets(32, 24),
    locals: octets(64, 24),
    bytes: octets(128, 64),
  };
  const sockets = native().setCreate({ most: 1, arrivals, sockets: words(12).i32 }, handler);
  const ports = Array.from({ length: 100 }, (_, i) => 40_000 + ((process.pid + i) % 20_000));
  const own = ports
    .map((port) => record({ address: "127.0.0.1", port }))
    .find((each) => native().setOpen(sockets, 0, each, each) === 0);
  if (own === undefined) throw new Error("no free port");
  return { sockets, send: () => void native().setSend(sockets, 0, Buffer.from("x")) };
}

/** A connection whose taker fails must not leave its descriptor behind. */
export async function connectionNotTaken(): Promise<unknown> {
  const server = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const options = {
    peer: record({ address: "127.0.0.1", port: (server.address() as AddressInfo).port }),
    local: new Uint8Array(24),
    md5Password: new Uint8Array(0),
    hopLimit: 0,
    leastHopLimit: 0,
    trafficClass: -1,
    userTimeout: 0,
  };
  const before = descriptors();
  let called = 0;
  for (let i = 0; i < 20; i += 1) native().tcpConnect(options, () => void (called += 1));
  await until(() => called === 20 && descriptors() <= before);
  server.close();
  return { called };
}

export function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

/** Threads that end in the midst of a flood, in every way that there is; then a hundred that come and go. */
export async function workersEndAnyHow(): Promise<unknown> {
  const before = descriptors();
  const ends: Record<string, number> = {};
  const errors = new Set<string>();
  const end = async (way: string): Promise<void> => {
    const worker = new Worker(new URL("flooded-worker.ts", import.meta.url), { workerData: way });
    worker.on("error", ({ message }) => void errors.add(message));
    const exit = new Promise<void>((resolve) => void worker.on("exit", () => resolve()));
    await Promise.race([new Promise((resolve) => void worker.on("message", resolve)), exit]);
    if (way === "terminated") await worker.terminate();
    await exit;
    ends[way] = (ends[way] ?? 0) + 1;
  };
  for (const way of ["terminated", "exits", "throws", "closes", "leaves"]) {
    for (let i = 0; i < 4; i += 1) await end(way);
  }
  for (let i = 0; i < 25; i += 1) await Promise.all(["closes", "terminated", "leaves", "exits"].map(end));
  await until(() => descriptors() <= before);
  return { ends, errors: [...errors] };
}

/** process.exit() inside the handler, on the main thread. */
export async function exitInHandler(): Promise<unknown> {
  const socket = await openSocket({
    onBatch: (arrivals) => {
      process.stdout.write(`${JSON.stringify({ heard: datagrams(arrivals).map(String) })}\n`);
      process.exit(0);
    },
  });
  const client = await openSocket();
  client.send(record(socket.local), 0, record(client.local), 0, Buffer.from("exit"));
  return new Promise(() => {});
}

/** Which builds of the addon and of the sanitizer's runtime this process has loaded. */
export async function sharedObjects(): Promise<unknown> {
  native();
  const { sharedObjects: loaded } = process.report.getReport() as unknown as { sharedObjects: string[] };
  return loaded.filter((path) => /libasan|linux_io\.node/.test(path));
}
