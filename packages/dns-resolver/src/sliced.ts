import { elapsed, milliseconds, type Clock, type Duration } from "@stitch/clock";

/**
 * Work in small steps, each far below a millisecond: what a reload reads and builds must not stop the thread that
 * answers queries, or renews the lease, for as long as a file of a million names takes.
 */
export type Steps<T> = Generator<void, T>;

/** A twentieth of what the kernel keeps of a busy socket, and nothing to a lease that is renewed every 100 ms. */
const SLICE: Duration = milliseconds(4);

/** Does the work a slice at a time; between slices the loop turns. */
export async function sliced<T>(steps: Steps<T>, clock: Clock): Promise<T> {
  for (;;) {
    const began = clock.now();
    do {
      const { done, value } = steps.next();
      if (done === true) return value;
    } while (elapsed(began, clock.now()) < SLICE);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

/** Does it now: where nothing is served yet. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}
