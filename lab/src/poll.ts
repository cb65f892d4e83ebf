import { type Clock, type Duration, later, milliseconds } from "@stitch/clock";

const INTERVAL: Duration = milliseconds(50);

/** Asks until the answer is no longer undefined; past the deadline, throws what was waited for and what was last seen. */
export async function until<T>(
  clock: Clock,
  what: string,
  limit: Duration,
  ask: () => Promise<T | undefined>,
  seen: () => Promise<string> | string = () => "",
): Promise<T> {
  const deadline = later(clock.now(), limit);
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (clock.now() > deadline) throw new Error(`waited ${limit / 1000} s for ${what}; ${await seen()}`);
    await new Promise<void>((resolve) => void clock.after("poll", INTERVAL, resolve));
  }
}
