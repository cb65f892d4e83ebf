import { announcerConfig, readRecording, replay, type Replay, type ReplayedVip } from "@stitch/announcer";
import { EXIT } from "@stitch/health";
import { loadChecked } from "../site.ts";
import { decisionText } from "../supervisor/console.ts";
import { table } from "../table.ts";
import { CommandError } from "../usage.ts";
import type { OperateContext } from "./operate.ts";

/** What the policy of this file would have made of a recorded journal. Announces nothing; needs no running announcer. */
export function replayJournal({ file, json, print }: OperateContext, journal: string): number {
  const config = announcerConfig(loadChecked(file));
  const replayed = replay(recording(journal), config);
  print(json ? JSON.stringify(replayed) : replayText(replayed));
  return EXIT.stopped;
}

function recording(journal: string): ReturnType<typeof readRecording> {
  try {
    return readRecording(journal);
  } catch (failure) {
    throw new CommandError((failure as Error).message);
  }
}

function replayText({ from, to, vips, unknown, drains }: Replay): string {
  const rows = vips.map(({ vip, service, recorded, replayed }) => [
    service,
    vip,
    `${share(recorded.normal)} -> ${share(replayed.normal)}`,
    `${share(recorded.lastResort)} -> ${share(replayed.lastResort)}`,
    `${recorded.withdrawals} -> ${replayed.withdrawals}`,
  ]);
  const remarks = [
    ...unknown.map((vip) => `${vip} was recorded; this file does not have it`),
    ...(drains === 0
      ? []
      : [`${drains} drains were recorded, and are replayed; stops of the announcer itself are not`]),
  ];
  const head = `${from} to ${to}: as recorded -> by this file`;
  return [
    head,
    table([["SERVICE", "VIP", "ANNOUNCED", "LAST RESORT", "WITHDRAWALS"], ...rows]),
    ...vips.flatMap(decisionLines),
    ...remarks,
  ].join("\n");
}

/** What routers would have heard; counting checks is no news to them. */
function decisionLines({ decisions }: ReplayedVip): string[] {
  return decisions
    .filter(({ wish }) => wish.from !== wish.to)
    .map((entry) => `${entry.at.slice(0, 10)} ${decisionText(entry)}`);
}

function share(part: number): string {
  return `${(part * 100).toFixed(2)}%`;
}
