import { type Duration, milliseconds, scaled, seconds } from "@stitch/clock";

/** RFC 5880 section 6.8.3: while a session is not Up its packets are no more frequent than this. */
export const SLOW_INTERVAL: Duration = seconds(1);
export const DEFAULT_INTERVAL: Duration = milliseconds(300);
export const DEFAULT_MULTIPLIER = 3;
/** Below this a timer of a JavaScript thread is no fit instrument. */
export const MIN_INTERVAL: Duration = milliseconds(50);
export const MAX_INTERVAL: Duration = seconds(60);
export const MAX_MULTIPLIER = 255;

/**
 * Section 6.8.7: how often to transmit before jitter. Undefined: not at all, which is what a peer that requires an
 * interval of zero asks for.
 */
export function transmitInterval(desiredMinTx: Duration, remoteMinRx: Duration): Duration | undefined {
  return remoteMinRx === 0 ? undefined : longer(desiredMinTx, remoteMinRx);
}

/**
 * Section 6.8.7: 75 to 100 % of the interval, so that the packets of many sessions do not fall together; with a
 * multiplier of 1 at most 90 %, since then one late packet is a lost session.
 */
export function jittered(interval: Duration, multiplier: number, random: () => number): Duration {
  return scaled(interval, multiplier === 1 ? 0.75 + 0.15 * random() : 0.75 + 0.25 * random());
}

/** Section 6.8.4: how long a peer may be silent, in asynchronous mode. */
export function detectionTime(remoteMultiplier: number, requiredMinRx: Duration, remoteMinTx: Duration): Duration {
  return scaled(longer(requiredMinRx, remoteMinTx), remoteMultiplier);
}

export function micros(duration: Duration): number {
  return Math.round(duration * 1_000);
}

export function fromMicros(count: number): Duration {
  return milliseconds(count / 1_000);
}

export function longer(a: Duration, b: Duration): Duration {
  return a > b ? a : b;
}

export function shorter(a: Duration, b: Duration): Duration {
  return a < b ? a : b;
}
