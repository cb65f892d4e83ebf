import { loadNative, type KernelClock } from "./native.ts";

const REALTIME = 0;
const MONOTONIC = 1;
const time = new Float64Array(2);

/** What the kernel says of its clock's discipline (adjtimex, read only); undefined without the addon. Throws what the system says. */
export function readKernelClock(): KernelClock | undefined {
  return loadNative().native?.kernelClock();
}

/** CLOCK_REALTIME in nanoseconds since 1970; undefined without the addon. */
export function realtimeNanoseconds(): bigint | undefined {
  return nanoseconds(REALTIME);
}

/** CLOCK_MONOTONIC in nanoseconds; undefined without the addon. */
export function monotonicNanoseconds(): bigint | undefined {
  return nanoseconds(MONOTONIC);
}

function nanoseconds(id: 0 | 1): bigint | undefined {
  const { native } = loadNative();
  if (native === undefined) return undefined;
  native.clockTime(id, time);
  return BigInt(time[0] ?? 0) * 1_000_000_000n + BigInt(time[1] ?? 0);
}
