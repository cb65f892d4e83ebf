// The watchdog of the kernel speaker: `node main.ts PROTOCOL BOUND_MS PREFIX...`, standard input a pipe from the announcer.
// A byte is a heartbeat. End of input (the announcer has ended, however) or silence (it hangs, or was stopped with SIGSTOP) takes
// its routes out of the kernel: what nobody can withdraw any more must not go on being announced.
import { parsePrefix } from "@stitch/bgp-speaker";
import { milliseconds, SystemClock } from "@stitch/clock";
import { IpCommand } from "../ip-command.ts";
import { Deadman } from "./deadman.ts";
import { flush } from "./flush.ts";

const [protocol = "", bound = "", ...texts] = process.argv.slice(2);
const prefixes = texts.flatMap((text) => parsePrefix(text) ?? []);
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
process.stdin.on("data", () => deadman.beat());
process.stdin.on("error", () => undefined);
process.stdin.on("close", () => {
  deadman.stop();
  working = working.then(() => act("the announcer has ended"));
});
