/**
 * NTP time (RFC 5905 section 6) as two unsigned 32-bit numbers: seconds since 1900-01-01T00:00Z modulo 2^32 (an era is
 * 136 years; era 1 begins 2036-02-07T06:28:16Z) and the fraction in units of 2^-32 s. No BigInt: both halves fit a
 * JavaScript number exactly, and so do microseconds since 1970 until the year 2255.
 */
export interface Timestamp {
  readonly seconds: number;
  readonly fraction: number;
}

/** Seconds from the start of era 0 to 1970-01-01T00:00Z. */
const UNIX_EPOCH = 2_208_988_800;
const ERA_SECONDS = 2 ** 32;
/** Units of 2^-32 s in a nanosecond. */
const FRACTION_PER_NANOSECOND = 2 ** 32 / 1e9;
const MICROS_PER_SECOND = 1e6;
/** Units of 2^-16 s, of the short format, in a second. */
const SHORT_PER_SECOND = 65_536;
const LARGEST_SHORT = 0xffff_ffff;

export const ZERO_TIMESTAMP: Timestamp = { seconds: 0, fraction: 0 };

/** Era seconds of whole seconds since 1970. */
export function eraSeconds(unixSeconds: number): number {
  return (unixSeconds + UNIX_EPOCH) % ERA_SECONDS;
}

/** Fraction of nanoseconds within a second, rounded down; below 2^32 for every value below 10^9. */
export function fractionOf(nanoseconds: number): number {
  return Math.floor(nanoseconds * FRACTION_PER_NANOSECOND);
}

/** For what is not on a datagram's path: allocates. */
export function timestampOf(wallMicros: number): Timestamp {
  const whole = Math.floor(wallMicros / MICROS_PER_SECOND);
  const nanoseconds = (wallMicros - whole * MICROS_PER_SECOND) * 1_000;
  return { seconds: eraSeconds(whole), fraction: fractionOf(nanoseconds) };
}

/**
 * Microseconds since 1970 of a timestamp, in the era that puts it within 68 years of `nearMicros`. An era number is not
 * sent; only a rough idea of the present tells 1900 from 2036 (RFC 4330 section 3, RFC 5905 section 6).
 */
export function wallMicrosOf({ seconds, fraction }: Timestamp, nearMicros: number): number {
  const near = nearMicros / MICROS_PER_SECOND + UNIX_EPOCH;
  const era = Math.round((near - seconds) / ERA_SECONDS);
  const unixSeconds = seconds + era * ERA_SECONDS - UNIX_EPOCH;
  return unixSeconds * MICROS_PER_SECOND + Math.floor((fraction * MICROS_PER_SECOND) / ERA_SECONDS + 0.5);
}

/** Seconds as 16.16 short format, rounded up: a bound on an error may grow in rounding, never shrink. */
export function shortOf(seconds: number): number {
  return Math.min(LARGEST_SHORT, Math.max(0, Math.ceil(seconds * SHORT_PER_SECOND)));
}

export function secondsOfShort(short: number): number {
  return short / SHORT_PER_SECOND;
}
