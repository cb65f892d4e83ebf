import { namespacesUnavailable, peer } from "@stitch/peers";
import { rotated } from "./contest.ts";
import { type CaseName, CASES, DRAIN_QUERIES, FAULTS } from "./failover/cases.ts";
import { readMatrix } from "../interop/bgp/matrix-record.ts";
import { matrixHead, matrixMissed, matrixRows, runMatrix } from "./failover/matrix.ts";
import { runCell, type Seen } from "./failover/cell.ts";
import type { Contender } from "./failover/contender.ts";
import { DEFAULTS, TUNED } from "./failover/exabgp.ts";
import { Network } from "./failover/network.ts";
import { figuresOf, missedOf, rowsOf } from "./failover/report.ts";
import { fillCompileCache } from "./failover/service.ts";
import { STITCH_BFD, STITCH_PLAIN } from "./failover/stitch.ts";
import type { Outcome } from "./outcome.ts";

/** Who takes part in each case in every round. */
const QUICK: Readonly<Record<CaseName, readonly Contender[]>> = {
  "service killed": [STITCH_PLAIN, DEFAULTS, TUNED],
  "service hung": [STITCH_PLAIN, DEFAULTS, TUNED],
  "checker hung": [STITCH_BFD],
  "announcer killed": [STITCH_PLAIN, DEFAULTS, TUNED],
  "host silent": [STITCH_BFD],
  drain: [STITCH_PLAIN, DEFAULTS, TUNED],
};
/** What lasts for a hold time, or for ever: once, all of them at the same time, each in a network of its own. */
const SLOW: Readonly<Partial<Record<CaseName, readonly Contender[]>>> = {
  "checker hung": [STITCH_PLAIN, DEFAULTS, TUNED],
  "host silent": [STITCH_PLAIN, DEFAULTS, TUNED],
};

/** Stitch and ExaBGP with its healthcheck, before the same router: from a fault to the router's kernel route. */
export async function benchFailover(rounds: number, matrix: boolean): Promise<{ outcome: Outcome; raw: unknown }> {
  const unavailable = await namespacesUnavailable();
  if (unavailable !== undefined) throw new Error(`failover: ${unavailable}`);
  if (matrix) await runMatrix();
  await fillCompileCache();
  const seen = [...(await slow()), ...(await quick(rounds))];
  return { outcome: await summary(seen, rounds), raw: seen };
}

async function quick(rounds: number): Promise<Seen[]> {
  const network = await Network.lay();
  const seen: Seen[] = [];
  try {
    for (let round = 0; round < rounds; round += 1) {
      process.stderr.write(`failover: round ${round + 1} of ${rounds}\n`);
      for (const fault of CASES)
        for (const contender of rotated(QUICK[fault], round))
          seen.push(await noted(runCell(network, contender, fault, (round + 0.5) / rounds)));
    }
  } finally {
    await network.close();
  }
  return seen;
}

async function slow(): Promise<Seen[]> {
  process.stderr.write("failover: what lasts for a hold time or longer, once\n");
  const cells = CASES.flatMap((fault) => (SLOW[fault] ?? []).map((contender) => ({ fault, contender })));
  return Promise.all(
    cells.map(async ({ fault, contender }) => {
      const network = await Network.lay();
      try {
        return await noted(runCell(network, contender, fault, 0.5));
      } finally {
        await network.close();
      }
    }),
  );
}

async function noted(cell: Promise<Seen>): Promise<Seen> {
  const seen = await cell;
  process.stderr.write(`${JSON.stringify(seen)}\n`);
  return seen;
}

async function summary(seen: readonly Seen[], rounds: number): Promise<Outcome> {
  const [frr, exabgp] = [await peer("frr"), await peer("exabgp")];
  const cells = readMatrix();
  return {
    bench: "failover",
    versions: { node: process.version, frr: frr.version, exabgp: exabgp.version },
    settings: { rounds, "queries a drain": DRAIN_QUERIES },
    ratios: {},
    figures: figuresOf(seen),
    table: rowsOf(seen),
    legend: [
      ...[STITCH_PLAIN, STITCH_BFD, DEFAULTS, TUNED].map(({ name, settings }) => `${name}: ${settings}`),
      ...CASES.map((fault) => `${fault}: ${FAULTS[fault].what}`),
    ],
    beside: { title: matrixHead(cells), table: matrixRows(cells) },
    missed: [...missedOf(seen), ...matrixMissed(cells)],
  };
}
