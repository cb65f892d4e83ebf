import type { Lab } from "../lab.ts";
import { type Drill, tenths, unless } from "./drill.ts";
import { accountFor, startStream } from "./log-stream.ts";
import { CORE, NYC, SITES, VIPS } from "./plan.ts";
import { settled } from "./settled.ts";

/** Preferred to BGP's routes, whose metric in the kernel is 20. */
const STATIC_METRIC = "1";

/** How anycast is often built: each router has a static route to its collector, and nobody asks the collector. */
const STATIC_ROUTES: readonly { readonly node: string; readonly via: string }[] = [
  ...SITES.anycast.map(({ router, hostAddress }) => ({ node: router, via: hostAddress })),
  { node: CORE, via: "10.2.1.2" },
];

export const trap: Drill = {
  name: "trap",
  variants: ["anycast"],
  intent:
    "the same collector behind static routes: it dies, the routes do not know, the messages fall into a black hole",
  async run({ lab, clock }) {
    await settled(lab, clock);
    const run = `trap${lab.now() % 1_000_000n}`;
    await routes(lab, "add");
    try {
      const stream = await startStream(lab, "branch", run);
      // A dead collector stays dead, as on a machine whose supervisor gave up.
      await lab.signal(NYC.host, ["supervisor"], "SIGSTOP");
      await lab.signal(NYC.host, ["syslog"], "SIGKILL");
      const account = await accountFor(lab, clock, run, await stream.done());
      const [nyc, lon] = [account.storedAt["nyc"] ?? 0, account.storedAt["lon"] ?? 0];
      const row = {
        routes: "static",
        sent: account.sent,
        "stored at nyc": nyc,
        "stored at lon": lon,
        "black hole": account.lost,
        "hole ms": tenths(account.holeMs),
      };
      const figures = { trap_sent: account.sent, trap_lost: account.lost };
      return {
        rows: [row],
        figures,
        failures: unless(lon === 0 && account.lost > account.sent / 2, "the black hole was not deep"),
      };
    } finally {
      await lab.signal(NYC.host, ["supervisor"], "SIGCONT");
      await routes(lab, "del");
    }
  },
};

async function routes(lab: Lab, what: "add" | "del"): Promise<void> {
  for (const { node, via } of STATIC_ROUTES)
    await lab.exec(node, ["ip", "route", what, `${VIPS.syslog}/32`, "via", via, "metric", STATIC_METRIC]);
}
