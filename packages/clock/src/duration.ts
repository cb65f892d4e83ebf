declare const durationBrand: unique symbol;

/** A length of time in milliseconds (fractions allowed). A bare number does not typecheck as one. */
export type Duration = number & { readonly [durationBrand]: "duration" };

export function milliseconds(n: number): Duration {
  return n as Duration;
}

export function seconds(n: number): Duration {
  return (n * 1_000) as Duration;
}

export function minutes(n: number): Duration {
  return (n * 60_000) as Duration;
}

export function hours(n: number): Duration {
  return (n * 3_600_000) as Duration;
}

export function days(n: number): Duration {
  return (n * 86_400_000) as Duration;
}

/** Scales a duration, for back-off and jitter. */
export function scaled(duration: Duration, factor: number): Duration {
  return (duration * factor) as Duration;
}

const STEPS = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "m"],
  [1_000, "s"],
] as const;

/** Writes a duration in the largest unit that divides it: `90s`, `300ms`, `1d`. The inverse of site.yaml's notation. */
export function formatDuration(duration: Duration): string {
  for (const [size, unit] of STEPS) {
    if (duration >= size && duration % size === 0) return `${duration / size}${unit}`;
  }
  return `${Math.round(duration * 1_000) / 1_000}ms`;
}

/** The delay of a timer. Throws on NaN, of which setTimeout would make a millisecond, and a loop would never rest. */
export function usable(timer: string, delay: Duration): number {
  if (Number.isNaN(delay)) throw new RangeError(`timer "${timer}" was given a delay that is not a number`);
  return delay;
}
