// Runs inside a client: `node dns-tcp.ts ADDRESS PORT NAME`. Keeps one TCP connection to a resolver and puts a query on it every ten
// milliseconds, answered or not; when the connection ends it opens the next. At the end of standard input, the record.
import { connect, type Socket } from "node:net";
import { Answers, print } from "./answers.ts";
import { answererOf, whoAnswers } from "./nsid.ts";
import type { Connection, Ending, TcpRecord } from "./record.ts";
import { onSchedule } from "./schedule.ts";

const INTERVAL_US = 10_000;
const WARM_AFTER = 50;
/** Queries after standard input closed, and what the last of them gets. */
const TAIL = 20;
const LAST_ANSWER_MS = 500;
/** A probe that nobody ends, ends itself: two minutes. */
const MOST_QUERIES = 12_000;
/** A SYN without an answer is given up and sent anew: the kernel's own second would hide when the way is there again. */
const CONNECT_PATIENCE_MS = 100;
const TRY_AGAIN_MS = 10;

const [address = "", port = "", name = ""] = process.argv.slice(2);
const query = whoAnswers(name);
const answers = new Answers(WARM_AFTER);
const connections: Connection[] = [];
let stopAt = MOST_QUERIES;
let open: Socket | undefined;
let over = false;

process.stdin.on("end", () => void (stopAt = answers.asked + TAIL)).resume();
dial();
onSchedule(INTERVAL_US, send);

function dial(): void {
  if (over) return;
  const tried = answers.now();
  let opened = -1;
  let ending: Ending | undefined;
  const socket = connect({ host: address, port: Number(port), noDelay: true });
  const impatient = setTimeout(() => end("silent"), CONNECT_PATIENCE_MS);
  const end = (how: Ending): void => {
    ending ??= how;
    socket.destroy();
  };
  socket.on("connect", () => {
    clearTimeout(impatient);
    opened = answers.now();
    open = socket;
  });
  readFrames(socket);
  socket.on("end", () => end("closed"));
  socket.on("error", ({ code }: NodeJS.ErrnoException) => {
    if (code === "ECONNREFUSED") end("refused");
    else end(opened < 0 ? "silent" : "reset");
  });
  socket.on("close", () => {
    clearTimeout(impatient);
    if (open === socket) open = undefined;
    connections.push({ tried, opened, ended: answers.now(), ending: ending ?? "left" });
    setTimeout(dial, TRY_AGAIN_MS);
  });
}

/** Each message has its length before it (RFC 1035 section 4.2.2). */
function readFrames(socket: Socket): void {
  let rest = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
      const end = 2 + rest.readUInt16BE(0);
      receive(rest.subarray(2, end));
      rest = rest.subarray(end);
    }
  });
}

function receive(message: Buffer): void {
  const sequence = message.readUInt16BE(0);
  if (answers.isOpen(sequence)) answers.note(sequence, answers.now(), answererOf(message, "site"));
}

/** Without a connection the query is lost before it leaves: to its sender that is the same. */
function send(sequence: number): boolean {
  if (sequence >= stopAt) {
    setTimeout(report, LAST_ANSWER_MS);
    return false;
  }
  answers.ask();
  const frame = Buffer.alloc(2 + query.length);
  frame.writeUInt16BE(query.length, 0);
  query.copy(frame, 2);
  frame.writeUInt16BE(sequence, 2);
  open?.write(frame);
  return true;
}

function report(): void {
  over = true;
  const last = open;
  if (last === undefined) return finish();
  last.on("close", finish);
  last.destroy();
}

function finish(): void {
  const record: TcpRecord = { ...answers.record, connections };
  print(JSON.stringify(record));
}
