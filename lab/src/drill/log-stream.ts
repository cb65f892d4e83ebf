import { type Clock, type Duration, seconds } from "@stitch/clock";
import type { Lab } from "../lab.ts";
import { until } from "../poll.ts";
import type { SyslogRecord } from "../probe/record.ts";
import { probeSyslog, type SyslogProbe } from "../probe/start.ts";
import { SITE_FILE, SITES, VIPS } from "./plan.ts";

/** The length of a numbered stream. */
export const MESSAGES = 10_000;
/** Stored messages reach the disk within the collector's `sync`. */
const STORING: Duration = seconds(10);

/** Where each message of a stream ended. `sent` = `stored` once + `lost`; a duplicate is a second copy anywhere. */
export interface Account {
  readonly sent: number;
  readonly storedAt: Readonly<Record<string, number>>;
  readonly lost: number;
  readonly duplicated: number;
  /** From the first lost message to the last, ms of sending time: the hole as the sender sees it. */
  readonly holeMs: number;
}

export function startStream(lab: Lab, client: string, run: string): Promise<SyslogProbe> {
  return probeSyslog(lab, client, VIPS.syslog, run, MESSAGES);
}

/** Reads every site's store until two readings agree and the last message is in one of them. */
export async function accountFor(lab: Lab, clock: Clock, run: string, record: SyslogRecord): Promise<Account> {
  let previous = "";
  return until(clock, "the stores to come to rest", STORING, async () => {
    const account = accountOf(record, await storedNumbers(lab, run));
    const text = JSON.stringify(account);
    if (text === previous) return account;
    previous = text;
    return undefined;
  });
}

async function storedNumbers(lab: Lab, run: string): Promise<ReadonlyMap<string, readonly number[]>> {
  const stores = SITES[lab.variant].map(async ({ site, host }) => {
    const { stdout } = await lab.exec(host, ["stitch", "logs", "--json", `run=${run}`, ...SITE_FILE]);
    return [site, numbersIn(stdout, run)] as const;
  });
  return new Map(await Promise.all(stores));
}

/** The message numbers of a run among stored records, one record a line. */
export function numbersIn(text: string, run: string): readonly number[] {
  const pattern = new RegExp(`run=${run} n=(\\d+)`);
  return text.split("\n").flatMap((line) => {
    const number = pattern.exec(line)?.[1];
    return number === undefined ? [] : [Number(number)];
  });
}

export function accountOf({ sent }: SyslogRecord, stores: ReadonlyMap<string, readonly number[]>): Account {
  const all = [...stores.values()].flat();
  const distinct = new Set(all);
  const missing = sent.flatMap((time, n) => (distinct.has(n) ? [] : [time]));
  const storedAt = Object.fromEntries([...stores].map(([site, numbers]) => [site, new Set(numbers).size]));
  const holeMs = missing.length === 0 ? 0 : ((missing.at(-1) ?? 0) - (missing[0] ?? 0)) / 1e6;
  return { sent: sent.length, storedAt, lost: missing.length, duplicated: all.length - distinct.size, holeMs };
}
