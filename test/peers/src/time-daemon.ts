import { basename } from "node:path";

/**
 * The only way a test may start a time daemon or client: the process and its children cannot set the clock.
 * As root, CAP_SYS_TIME leaves the bounding set and nothing is inherited; another user does not have it to begin with.
 */
export function withoutClockAccess(argv: readonly [string, ...string[]]): string[] {
  if (basename(argv[0]) === "chronyd" && !argv.includes("-x"))
    throw new Error("chronyd is started with -x in tests: it must not try to touch the clock");
  if (process.getuid?.() !== 0) return [...argv];
  return ["setpriv", "--bounding-set=-sys_time", "--inh-caps=-all", "--ambient-caps=-all", "--", ...argv];
}

/** How often the two clocks are read; the reading that was interrupted least counts. */
const READINGS = 9;

/** REALTIME minus MONOTONIC, ns. It moves only when somebody steps the clock: slewing moves both together. */
export function clockStepReference(): bigint {
  let best = { width: -1n, offset: 0n };
  for (let i = 0; i < READINGS; i += 1) {
    const before = process.hrtime.bigint();
    const wall = Temporal.Now.instant().epochNanoseconds;
    const after = process.hrtime.bigint();
    const width = after - before;
    if (best.width < 0n || width < best.width) best = { width, offset: wall - (before + after) / 2n };
  }
  return best.offset;
}

/** Two readings of two clocks on a busy machine; a step worth the name is larger. */
const READING_NOISE_NS = 20_000_000n;

/** A sentence when the clock was stepped since `reference` was taken, else undefined. */
export function clockStepped(reference: bigint): string | undefined {
  const moved = clockStepReference() - reference;
  const size = moved < 0n ? -moved : moved;
  return size <= READING_NOISE_NS
    ? undefined
    : `the machine's clock was stepped by ${Math.round(Number(moved) / 1e6)} ms during the run`;
}
