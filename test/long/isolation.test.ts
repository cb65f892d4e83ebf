/** BGP and BFD keep time under load: what they need of a processor is theirs, however many questions the resolver has. */
import { type Duration, minutes, seconds } from "@stitch/clock";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { endsOf, type Ends, journalOf, lagOf } from "./isolation/account.ts";
import { type Load, saturate } from "./isolation/load.ts";
import { FAST, type RunningSite, settled, startSite, STEADY } from "./isolation/site.ts";

/** The first shows within a minute whether it is worth to wait for the second. */
const DURATIONS: readonly Duration[] = [seconds(20), minutes(10)];
/** Of two cores: what dnsperf, the workers and the kernel leave over while they start and end. */
const MOST_IDLE = 0.1;
/** How often the lag of BFD's thread is read: it says the worst of the last second. */
const LOOK_MS = 1_000;
/** The announcer warns beyond a sixth of the hold time, which is 9 s here. */
const WARNING_MS = 1_500;

const BGP_LAG = "stitch_announcer_lag_seconds";
const BFD_LAG = "stitch_announcer_bfd_lag_seconds";

interface Seen {
  readonly load: Load;
  readonly steady: Ends;
  readonly fast: Ends;
  /** Worst lag in ms, of the process and of the thread of BFD. */
  readonly lag: { readonly bgp: number; readonly bfd: number };
  readonly warnings: number;
  /** Why the address was withdrawn, each time. */
  readonly withdrawn: readonly string[];
}

describe("with both cores full of DNS traffic", () => {
  let site: RunningSite;

  beforeAll(async () => {
    site = await startSite();
    await settled(site);
  }, 120_000);
  afterAll(() => site?.wire.close());

  test.each(DURATIONS)("for %s ms no BGP session and no BFD session at 300 ms x 3 drops", async (duration) => {
    const seen = await under(site, duration);
    print(duration, seen);
    expect(seen.load.answersPerSecond).toBeGreaterThan(1_000);
    expect(seen.load.idle).toBeLessThan(MOST_IDLE);
    const nothing = { router: 0, host: 0 };
    expect(seen.steady).toEqual({ bgp: nothing, bfd: nothing });
    expect(seen.withdrawn).toEqual([]); // overloaded: the route stays
    // The metric and the warning say the same.
    expect(seen.warnings > 0).toBe(seen.lag.bgp > WARNING_MS);
    expect(seen.lag.bgp).toBeGreaterThan(0);
    await settled(site);
  });
});

async function under(site: RunningSite, duration: Duration): Promise<Seen> {
  const control = site.wire.file("announcer.sock");
  const file = site.wire.file("journal.jsonl");
  const before = {
    steady: await endsOf(site, STEADY),
    fast: await endsOf(site, FAST),
    entries: journalOf(file).length,
  };
  let bfd = 0;
  const looks = setInterval(() => void lagOf(control, BFD_LAG).then((lag) => void (bfd = Math.max(bfd, lag))), LOOK_MS);
  const load = await saturate(site.wire, duration).finally(() => clearInterval(looks));
  const since = journalOf(file).slice(before.entries);
  return {
    load,
    steady: difference(before.steady, await endsOf(site, STEADY)),
    fast: difference(before.fast, await endsOf(site, FAST)),
    lag: { bgp: await lagOf(control, BGP_LAG, `peer="${STEADY.router}"`), bfd },
    warnings: since.filter(
      ({ kind, reason, peer }) => kind === "session" && reason === "late" && peer === STEADY.router,
    ).length,
    withdrawn: since.flatMap(({ wish, reason = "" }) => (wish?.to === "none" && wish.from !== "none" ? [reason] : [])),
  };
}

function difference(before: Ends, after: Ends): Ends {
  const { bgp, bfd } = after;
  return {
    bgp: { router: bgp.router - before.bgp.router, host: bgp.host - before.bgp.host },
    bfd: { router: bfd.router - before.bfd.router, host: bfd.host - before.bfd.host },
  };
}

function print(duration: Duration, { load, steady, fast, lag, warnings, withdrawn }: Seen): void {
  const { answersPerSecond, lost, idle } = load;
  process.stdout.write(
    `both cores full for ${duration / 1_000} s: ${Math.round(answersPerSecond)} answers/s, ${lost} lost, ${(100 * idle).toFixed(1)} % idle
  ended at 300 ms x 3: ${inWords(steady)}
  ended at  50 ms x 3: ${inWords(fast)}
  worst lag: announcer ${Math.round(lag.bgp)} ms (${warnings} warnings), thread of BFD ${Math.round(lag.bfd)} ms
  withdrawn: ${withdrawn.join(", ") || "never"}\n`,
  );
}

function inWords({ bgp, bfd }: Ends): string {
  return `BGP ${bgp.router} at the router, ${bgp.host} here; BFD ${bfd.router} at the router, ${bfd.host} here`;
}
