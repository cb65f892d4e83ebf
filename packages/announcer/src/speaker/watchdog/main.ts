// The watchdog of the kernel speaker: `node main.ts PROTOCOL BOUND_MS`, standard input a pipe from the announcer (lines.ts).
// End of input (the announcer has ended, however) or silence (it hangs, or was stopped with SIGSTOP) takes
// its routes out of the kernel: what nobody can withdraw any more must not go on being announced.
import { createInterface } from "node:readline";
import type { Prefix } from "@stitch/bgp-speaker";
import { milliseconds, SystemClock } from "@stitch/clock";
import { IpCommand } from "../ip-command.ts";
import { Deadman } from "./deadman.ts";
import { flush } from "./flush.ts";
import { prefixesIn } from "./lines.ts";

const [protocol = "", bound = ""] = process.argv.slice(2);
/** The first line names them, and another one after a reload. */
let prefixes: readonly Prefix[] = [];
const table = new IpCommand(Number(protocol));
const clock = new SystemClock();
let working = Promise.resolve();

/** What it did, for an announcer that comes to itself again; a dead one reads nothing. */
async function act(why: string): Promise<void> {
  const outcome = await flush(table, prefixes, clock).then(
    (removed) => `${why}: ${removed} routes removed`,
    (failure: Error) => `${why}: routes could not be removed: ${failure.message}`,
  );
  process.stdout.write(`${outcome}\n`);
}

// Whoever stops the announcer's whole process group wants its drain, and that needs the routes to stay until it is over.
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => undefined);
process.stdout.on("error", () => undefined);
const deadman = new Deadman(clock, milliseconds(Number(bound)), () => {
  working = working.then(() => act("no heartbeat"));
});
process.stdin.on("error", () => undefined);
const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  deadman.beat();
  prefixes = prefixesIn(line) ?? prefixes;
});
lines.on("close", () => {
  deadman.stop();
  working = working.then(() => act("the announcer has ended"));
});
