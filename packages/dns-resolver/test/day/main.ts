import { milliseconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { REASONS } from "../../src/reasons.ts";
import { queryFor } from "../fixtures.ts";
import { Stage } from "../scenario/stage.ts";
import { DayUpstreams } from "./upstreams.ts";

/**
 * Simulated hours of a resolver's life, as a process of its own with --expose-gc: argument one says how many. Prints one
 * JSON object: what was asked and answered, and how much memory was in use at the end of every fourth of the time.
 */
const HOURS = Number(process.argv[2] ?? 1);
const STEP_MS = 50;
const NAMES = 60_000;
const CONFIG = `site: nyc
dns:
  listen: ["127.0.0.1:53"]
  routes:
    - { zone: ".", upstreams: ["192.0.2.53", "192.0.2.54"] }
    - { zone: corp.test, upstreams: ["192.0.2.55"] }
  cache: { size: 2MiB }
`;

let state = 7;
/** The same numbers in every run (mulberry32). */
function draw(): number {
  state = (state + 0x6d_2b_79_f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}

/** Most ask for what others ask for; one in ten for a name that nobody has asked for. */
function nameNow(): string {
  if (draw() < 0.1) return `x${Math.floor(draw() * 1e9)}.test`;
  const n = Math.floor(NAMES ** draw());
  return n % 9 === 0 ? `a${n}.test` : `n${n}.test`;
}

function memoryInUse(): number {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const clock = new FakeClock();
const upstreams = new DayUpstreams(clock, draw);
const reasons = new Float64Array(REASONS.length);
const stage = new Stage(CONFIG, "day", clock, upstreams, (_, reason) => (reasons[reason] = (reasons[reason] ?? 0) + 1));
const memory: number[] = [];
const steps = (HOURS * 3_600_000) / STEP_MS;
for (let step = 1; step <= steps; step += 1) {
  stage.query(queryFor(nameNow(), { id: step & 0xffff }));
  clock.advance(milliseconds(STEP_MS));
  await new Promise<void>((resolve) => setImmediate(resolve));
  if (step % (steps / 4) === 0) memory.push(memoryInUse());
}
await clock.run(milliseconds(10_000));
const counted = Object.fromEntries(REASONS.map((reason, i) => [reason, reasons[i]]).filter(([, count]) => count !== 0));
const { inFlight, counters } = stage.forwarder;
const waiting = { inFlight, open: upstreams.open };
process.stdout.write(
  JSON.stringify({ queries: steps, counted, counters, waiting, memory, entries: stage.cache.entries }),
);
await stage.close();
