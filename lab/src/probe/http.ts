// Runs inside a client: `node http.ts ADDRESS PORT`. One HTTP request in twenty milliseconds, each on a connection of its own, until
// standard input closes; then the record, in which the answer's text is the site.
import { get } from "node:http";
import { Answers, print } from "./answers.ts";
import { onSchedule } from "./schedule.ts";

const INTERVAL_US = 20_000;
const WARM_AFTER = 25;
const TAIL = 10;
const PATIENCE_MS = 1_000;
/** A probe that nobody ends, ends itself: two minutes. */
const MOST_REQUESTS = 6_000;

const [host = "", port = ""] = process.argv.slice(2);
const answers = new Answers(WARM_AFTER);
let stopAt = MOST_REQUESTS;

process.stdin.on("end", () => void (stopAt = answers.asked + TAIL)).resume();
onSchedule(INTERVAL_US, ask);

function ask(sequence: number): boolean {
  if (sequence >= stopAt) {
    setTimeout(report, PATIENCE_MS);
    return false;
  }
  answers.ask();
  const request = get({ host, port, agent: false, timeout: PATIENCE_MS }, (response) => {
    let text = "";
    response.setEncoding("utf8").on("data", (chunk: string) => void (text += chunk));
    response.on("end", () => answers.note(sequence, answers.now(), text)).on("error", () => undefined);
  });
  request.on("timeout", () => request.destroy());
  // A connection that breaks is a request without an answer.
  request.on("error", () => undefined);
  return true;
}

function report(): void {
  print(JSON.stringify(answers.record));
}
