// Runs inside a client: `node dns.ts ADDRESS PORT NAME FLOWS site|instance RATE`. RATE queries a second until standard input closes, then the record.
import { createSocket } from "node:dgram";
import { Answers, print } from "./answers.ts";
import { answererOf, whoAnswers } from "./nsid.ts";
import { onSchedule } from "./schedule.ts";

const WARM_AFTER = 500;
/** Queries sent after standard input closed, so that the end of a gap is inside the record. */
const TAIL = 200;
/** A probe that was away for a second finds every answer: what its own buffer drops would look like a loss of the network's. */
const RECEIVE_BUFFER = 2 ** 21;
const LAST_ANSWER_MS = 500;
/** A probe that nobody ends, ends itself. */
const MOST_QUERIES = 250_000;

const [address = "", port = "", name = "", flows = "1", by = "site", rate = "1000"] = process.argv.slice(2);
const intervalUs = Math.round(1_000_000 / Number(rate));
const query = whoAnswers(name);

const answers = new Answers(WARM_AFTER);
const sockets = Array.from({ length: Number(flows) }, () =>
  createSocket({ type: address.includes(":") ? "udp6" : "udp4", recvBufferSize: RECEIVE_BUFFER }),
);
let stopAt = MOST_QUERIES;

function receive(message: Buffer): void {
  const now = answers.now();
  const sequence = latestWithId(message.readUInt16BE(0));
  if (sequence === undefined || !answers.isOpen(sequence)) return;
  answers.note(sequence, now, answererOf(message, by === "instance" ? "instance" : "site"));
}

process.stdin.on("end", () => void (stopAt = answers.asked + TAIL)).resume();
let unbound = sockets.length;
for (const socket of sockets) {
  socket.on("message", receive);
  socket.bind(0, () => {
    unbound -= 1;
    if (unbound === 0) onSchedule(intervalUs, send);
  });
}

function send(sequence: number): boolean {
  if (sequence >= stopAt) {
    setTimeout(report, LAST_ANSWER_MS);
    return false;
  }
  const packet = Buffer.from(query);
  packet.writeUInt16BE(sequence & 0xffff, 0);
  answers.ask();
  // No route to the address is a query without an answer, like any other way to lose it.
  sockets[sequence % sockets.length]?.send(packet, Number(port), address, () => undefined);
  return true;
}

/** Ids repeat every 65536 queries, a minute apart. */
function latestWithId(id: number): number | undefined {
  const last = answers.asked - 1;
  const sequence = last - ((last - id) & 0xffff);
  return sequence >= 0 ? sequence : undefined;
}

function report(): void {
  print(JSON.stringify(answers.record));
  for (const socket of sockets) socket.close();
}
