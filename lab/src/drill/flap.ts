import { type Duration, milliseconds } from "@stitch/clock";
import { type Lab, millisecondsBetween, type Nanoseconds } from "../lab.ts";
import { experience } from "../probe/gap.ts";
import { probeDns } from "../probe/start.ts";
import { countUpdates } from "../sighting.ts";
import { type Drill, type DrillContext, tenths, unless } from "./drill.ts";
import { NYC, TOR_TO_HOST, VIPS, WHOAMI } from "./plan.ts";
import { settled } from "./settled.ts";

const FLAPPING_MS = 5_000;
const LOOK_AGAIN: Duration = milliseconds(50);
/** The announcer's hold-down (its default): between a fall and the next announcement at least this. */
const HOLD_DOWN_MS = 3_000;
/** A withdrawal and an announcement for each address family, as often as the hold-down lets them be, and one round more. */
const MOST_UPDATES = 2 * 2 * (Math.ceil(FLAPPING_MS / HOLD_DOWN_MS) + 1);

export const flap: Drill = {
  name: "flap",
  variants: ["anycast"],
  intent: "New York's resolver is killed again as soon as it is restarted: the routers hear of few of its deaths",
  async run(context) {
    const { lab, clock } = context;
    await settled(lab, clock);
    const probe = await probeDns(lab, "branch", VIPS.dns, WHOAMI);
    const capture = await lab.capture(NYC.router, TOR_TO_HOST, "tcp port 179");
    const began = lab.now();
    const kills = await killAgainAndAgain(context, began);
    const lasted = millisecondsBetween(began, lab.now());
    const seen = experience(await probe.finish());
    const updates = countUpdates(await capture.stop(), NYC.hostAddress, began);
    const figures = { flap_kills: kills, flap_updates: updates, flap_lost: seen.lost };
    const row = {
      "flapped ms": tenths(lasted),
      kills,
      "updates to the router": updates,
      queries: seen.sent,
      lost: seen.lost,
      "longest gap ms": tenths(seen.longestGapMs),
    };
    return {
      rows: [row],
      figures,
      failures: [
        ...unless(kills >= 2, `the resolver was killed ${kills} times: it did not flap`),
        ...unless(updates <= MOST_UPDATES, `${updates} updates; ${MOST_UPDATES} is the limit`),
      ],
    };
  },
};

async function killAgainAndAgain({ lab, clock }: DrillContext, began: Nanoseconds): Promise<number> {
  let kills = 0;
  let last: number | null | undefined;
  while (millisecondsBetween(began, lab.now()) < FLAPPING_MS) {
    const pid = await pidOf(lab);
    if (typeof pid === "number" && pid !== last && (await struck(lab))) {
      kills += 1;
      last = pid;
    }
    await new Promise<void>((resolve) => void clock.after("look-again", LOOK_AGAIN, resolve));
  }
  return kills;
}

async function pidOf(lab: Lab): Promise<number | null | undefined> {
  return (await lab.roles(NYC.host))["dns"]?.pid;
}

/** False when it had died meanwhile. */
function struck(lab: Lab): Promise<boolean> {
  return lab.signal(NYC.host, ["dns"], "SIGKILL").then(
    () => true,
    () => false,
  );
}
