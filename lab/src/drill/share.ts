import { seconds } from "@stitch/clock";
import { type Lab, millisecondsBetween } from "../lab.ts";
import { until } from "../poll.ts";
import { type Experience, experience, firstAnswerFrom, lostBetween } from "../probe/gap.ts";
import { type DnsProbe, probeDns } from "../probe/start.ts";
import { type Drill, type Row, tenths, unless } from "./drill.ts";
import { NODES, VIPS, WHOAMI } from "./plan.ts";
import { devicesTo, settled } from "./settled.ts";

/** A client port is a flow of its own to the router. */
const FLOWS = 64;
/** A hash spreads 64 flows over two nodes; less than this share for one of them is no spread. */
const LEAST_SHARE = 0.15;
const LONGEST_GAP_MS = 1_500;
/** None should be; a machine that stalls drops a few. */
const MOST_LOST_ALONE = 20;

export const share: Drill = {
  name: "share",
  variants: ["ecmp"],
  intent:
    "two nodes of one site share the clients; one resolver is killed and the other serves all, then they share again",
  async run({ lab, clock }) {
    await settled(lab, clock);
    const before = experience(await (await probe(lab)).finish());
    const under = await probe(lab);
    const killed = await lab.signal(NODES.one, ["dns"], "SIGKILL");
    await until(clock, "the router to leave the dead node", seconds(20), async () =>
      (await devicesTo(lab, "tor", VIPS.dns)).join() === "to-two" ? true : undefined,
    );
    const alone = lab.now();
    await settled(lab, clock);
    const back = lab.now();
    const record = await under.finish();
    const after = experience(await (await probe(lab)).finish());
    const during = experience(record);
    const figures = {
      share_lost: during.lost,
      share_alone_lost: lostBetween(record, alone, back),
      share_moved_ms: tenths(millisecondsBetween(killed, alone)),
    };
    const rows = [
      rowOf("both", before),
      rowOf("one killed, and back", during, figures.share_moved_ms),
      rowOf("both again", after),
    ];
    return {
      rows,
      figures,
      failures: [
        ...[before, after].flatMap((seen) => unless(isShared(seen), `not shared: ${JSON.stringify(seen.bySite)}`)),
        ...unless(before.lost + after.lost === 0, `${before.lost + after.lost} queries were lost in peace`),
        ...unless(figures.share_moved_ms <= LONGEST_GAP_MS, `the router turned after ${figures.share_moved_ms} ms`),
        ...unless(
          figures.share_alone_lost <= MOST_LOST_ALONE,
          `${figures.share_alone_lost} were lost while one served all`,
        ),
        ...unless(firstAnswerFrom(record, "two", killed) !== undefined, "the other node answered nothing"),
      ],
    };
  },
};

function probe(lab: Lab): Promise<DnsProbe> {
  return probeDns(lab, "clients", VIPS.dns, WHOAMI, { flows: FLOWS, by: "instance" });
}

function isShared({ bySite, answered }: Experience): boolean {
  return Object.keys(NODES).every((node) => (bySite[node] ?? 0) >= answered * LEAST_SHARE);
}

function rowOf(when: string, { sent, lost, bySite }: Experience, turned?: number): Row {
  const counts = Object.fromEntries(Object.keys(NODES).map((node) => [node, bySite[node] ?? 0]));
  return { when, queries: sent, ...counts, lost, "router turned ms": turned ?? "" };
}
