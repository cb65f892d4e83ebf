// Runs inside a client: `node http.ts ADDRESS PORT`. One HTTP request in twenty milliseconds, each on a connection of its own, until
// standard input closes; then the record, in which the answer's text is the site.
import { get } from "node:http";
import { CHANGED, type DnsRecord, WARM } from "./record.ts";
import { onSchedule } from "./schedule.ts";

const INTERVAL_US = 20_000;
const WARM_AFTER = 25;
const TAIL = 10;
const PATIENCE_MS = 1_000;
/** A probe that nobody ends, ends itself: two minutes. */
const MOST_REQUESTS = 6_000;

const [host = "", port = ""] = process.argv.slice(2);
const start = process.hrtime.bigint();
const sent: number[] = [];
const answered: number[] = [];
const site: number[] = [];
const sites: string[] = [];
let current = -1;
let answers = 0;
let stopAt = MOST_REQUESTS;

process.stdin.on("end", () => void (stopAt = sent.length + TAIL)).resume();
onSchedule(INTERVAL_US, ask);

function ask(sequence: number): boolean {
  if (sequence >= stopAt) {
    setTimeout(report, PATIENCE_MS);
    return false;
  }
  sent.push(sinceStart());
  answered.push(-1);
  site.push(-1);
  const request = get({ host, port, agent: false, timeout: PATIENCE_MS }, (response) => {
    let text = "";
    response.setEncoding("utf8").on("data", (chunk: string) => void (text += chunk));
    response.on("end", () => note(sequence, text)).on("error", () => undefined);
  });
  request.on("timeout", () => request.destroy());
  // A connection that breaks is a request without an answer.
  request.on("error", () => undefined);
  return true;
}

function note(sequence: number, text: string): void {
  answered[sequence] = sinceStart();
  const known = sites.indexOf(text);
  const index = known >= 0 ? known : sites.push(text) - 1;
  site[sequence] = index;
  if (++answers === WARM_AFTER) print(WARM);
  if (index !== current) print(`${CHANGED}${text}`);
  current = index;
}

function report(): void {
  print(JSON.stringify({ start: String(start), sent, answered, site, sites } satisfies DnsRecord));
}

function sinceStart(): number {
  return Number(process.hrtime.bigint() - start);
}
function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
