import { milliseconds, type Clock, type Duration } from "@stitch/clock";
import type { PollResult, Probe } from "../check/observer.ts";

/** Between two attempts. One lost datagram is no failure; three in a row are. */
const AGAIN: Duration = milliseconds(200);
const ATTEMPTS = 3;

/** Uses the service through its VIP, up to three times; resolves with the first pass, or with the last failure. */
export async function selfQuery(probe: Probe, timeout: Duration, clock: Clock): Promise<PollResult> {
  for (let attempt = 1; ; attempt += 1) {
    const result = await once(probe, timeout, clock);
    if (result.verdict !== "fail" || attempt === ATTEMPTS) return result;
    await new Promise<void>((resolve) => void clock.after("self-query-again", AGAIN, resolve));
  }
}

async function once(probe: Probe, timeout: Duration, clock: Clock): Promise<PollResult> {
  const abort = new AbortController();
  const late = new Promise<PollResult>((resolve) => {
    abort.signal.addEventListener("abort", () => resolve({ verdict: "fail", detail: "no answer in time" }));
  });
  const timer = clock.after("self-query", timeout, () => abort.abort());
  try {
    return await Promise.race([probe(abort.signal), late]);
  } catch (failure) {
    return { verdict: "fail", detail: failure instanceof Error ? failure.message : String(failure) };
  } finally {
    timer.cancel();
  }
}
