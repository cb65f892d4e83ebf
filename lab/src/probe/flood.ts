// Runs inside a client: `node flood.ts ADDRESS PORT NAME SOURCES RATE SECONDS`. Sends one and the same question from every address of
// SOURCES (a,b,c): RATE a second whatever comes back, or, with RATE 0, as many as are answered: that is what a site can do. Prints
// `warm` when it begins, then one record with what was sent and answered in each second.
import { SystemClock } from "@stitch/clock";
import { type DatagramSocket, openDatagramSocket } from "@stitch/linux-io";
import { encode } from "dns-packet";
import { type FloodRecord, WARM } from "./record.ts";

const BATCH = 64;
const SLOT = 512;
const RECEIVE_BUFFER = 2 ** 21;
/** RATE 0: questions of one socket that may be without an answer. */
const WINDOW = 64;
/** What has no answer by then never gets one: the window opens again. */
const LOST_MS = 50;
/** A generator that was away does not make up for more than this: what it could not send is not sent. */
const CATCH_UP_MS = 20;
/** The flood is bounded, whoever asks for what. */
const MOST_SECONDS = 120;
const MOST_RATE = 2_000_000;

const [address = "", port = "", name = "", sources = "", rate = "", length = ""] = process.argv.slice(2);
const perMs = Math.min(MOST_RATE, Number(rate)) / 1_000;
const lasts = Math.min(MOST_SECONDS, Number(length)) * 1_000;
const question = encode({ type: "query", id: 1, flags: 0, questions: [{ type: "TXT", name, class: "IN" }] });
const clock = new SystemClock();

/** One socket of the flood, and what it waits for. */
interface Source {
  readonly socket: DatagramSocket;
  readonly flow: { waiting: number; heard: number };
}
const record: FloodRecord = { sent: [], answered: [] };
const outgoing = {
  slotSize: SLOT,
  bytes: new Uint8Array(BATCH * SLOT),
  lengths: new Int32Array(BATCH).fill(question.length),
  peers: new Uint8Array(0),
};
for (let i = 0; i < BATCH; i += 1) outgoing.bytes.set(question, i * SLOT);

const all = await Promise.all(sources.split(",").map(open));
const began = performance.now();
let due = 0;
let last = began;
let turn = 0;
process.stdout.write(`${WARM}\n`);
step();

async function open(from: string): Promise<Source> {
  const flow = { waiting: 0, heard: 0 };
  const socket = await openDatagramSocket({
    local: { address: from, port: 0 },
    peer: { address, port: Number(port) },
    clock,
    slotSize: SLOT,
    replySlotSize: SLOT,
    batchSize: BATCH,
    receiveBuffer: RECEIVE_BUFFER,
    onBatch: ({ count }) => {
      note(record.answered, count);
      flow.waiting = Math.max(0, flow.waiting - count);
      flow.heard = performance.now();
    },
    // A router that has no way for a moment says so: lost like anything else.
    onFailure: () => undefined,
  });
  return { socket, flow };
}

function step(): void {
  const now = performance.now();
  if (now - began >= lasts) return end();
  if (perMs > 0) flood(now);
  else for (const source of all) ask(source, now);
  // The rest of what is due waits for the next millisecond; answers are read in between.
  setTimeout(step, 1);
}

function flood(now: number): void {
  due += Math.min(now - last, CATCH_UP_MS) * perMs;
  last = now;
  while (due >= 1) {
    const source = all[turn++ % all.length] as Source;
    const count = Math.min(BATCH, Math.floor(due));
    const done = source.socket.sendMany(outgoing, count);
    note(record.sent, done);
    due -= count;
  }
}

function ask({ socket, flow }: Source, now: number): void {
  if (now - flow.heard > LOST_MS) flow.waiting = 0;
  const count = Math.min(BATCH, WINDOW - flow.waiting);
  if (count <= 0) return;
  const done = socket.sendMany(outgoing, count);
  note(record.sent, done);
  if (flow.waiting === 0) flow.heard = now;
  flow.waiting += done;
}

function note(seconds: number[], count: number): void {
  const second = Math.floor((performance.now() - began) / 1_000);
  while (seconds.length <= second) seconds.push(0);
  seconds[second] = (seconds[second] ?? 0) + count;
}

function end(): void {
  process.stdout.write(`${JSON.stringify(record)}\n`);
  for (const { socket } of all) void socket.close();
}
