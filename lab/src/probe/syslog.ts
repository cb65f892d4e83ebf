// Runs inside a client: `node syslog.ts ADDRESS PORT RUN COUNT`. One numbered message each millisecond until there were COUNT or standard input closes;
// then the record.
import { createSocket } from "node:dgram";
import { hostname } from "node:os";
import { type SyslogRecord, WARM } from "./record.ts";
import { onSchedule } from "./schedule.ts";

const INTERVAL_US = 1_000;
/** Facility local0, severity informational. */
const PRI = 16 * 8 + 6;
/** Messages before the drill may act. */
const WARM_AFTER = 1_000;

const [address = "", port = "", run = "", count = ""] = process.argv.slice(2);
const start = process.hrtime.bigint();
const sent: number[] = [];
let stopAt = Number(count);
const socket = createSocket("udp4");

socket.bind(0, () => onSchedule(INTERVAL_US, send));
process.stdin.on("end", () => void (stopAt = Math.min(stopAt, sent.length))).resume();

function send(sequence: number): boolean {
  if (sequence >= stopAt) return report();
  const stamp = Temporal.Now.instant().toString({ smallestUnit: "millisecond" });
  const message = `<${PRI}>1 ${stamp} ${hostname()} drill - - - run=${run} n=${sequence}`;
  sent.push(Number(process.hrtime.bigint() - start));
  socket.send(message, Number(port), address, () => undefined);
  if (sent.length === WARM_AFTER) process.stdout.write(`${WARM}\n`);
  return true;
}

function report(): false {
  const record: SyslogRecord = { start: String(start), sent };
  process.stdout.write(`${JSON.stringify(record)}\n`, () => {
    socket.close();
    process.stdin.destroy();
  });
  return false;
}
