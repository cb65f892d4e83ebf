import type { Nanoseconds } from "../lab.ts";
import type { DnsRecord } from "./record.ts";

/** One probe's record, made readable: what a client lived through. */
export interface Experience {
  readonly sent: number;
  readonly answered: number;
  readonly lost: number;
  /** From the first unanswered query of the longest stretch to the query answered next, ms; the whole rest if none was. */
  readonly longestGapMs: number;
  /** Answers per site. */
  readonly bySite: Readonly<Record<string, number>>;
}

export function experience(record: DnsRecord): Experience {
  const answered = record.answered.filter((time) => time >= 0).length;
  return {
    sent: record.sent.length,
    answered,
    lost: record.sent.length - answered,
    longestGapMs: longestGap(record),
    bySite: Object.fromEntries(
      record.sites.map((site, index) => [site, record.site.filter((s) => s === index).length]),
    ),
  };
}

function longestGap({ sent, answered }: DnsRecord): number {
  let longest = 0;
  let from: number | undefined;
  for (const [index, time] of sent.entries()) {
    if (answered[index] === -1) from ??= time;
    else if (from !== undefined) {
      longest = Math.max(longest, time - from);
      from = undefined;
    }
  }
  const last = sent.at(-1) ?? 0;
  return (from === undefined ? longest : Math.max(longest, last - from)) / 1e6;
}

/** The part of a record that was sent from `from` on and before `to`. */
export function between(record: DnsRecord, from: Nanoseconds, to: Nanoseconds): DnsRecord {
  const [first, last] = [from, to].map((time) => Number(time - BigInt(record.start))) as [number, number];
  const inside = (_: unknown, n: number): boolean => (record.sent[n] ?? 0) >= first && (record.sent[n] ?? 0) < last;
  const [sent, answered, site] = [record.sent, record.answered, record.site].map((each) => each.filter(inside));
  return { ...record, sent: sent ?? [], answered: answered ?? [], site: site ?? [] };
}

/** ms from `event` to the sending of the first query that `site` answered and that was sent after the event. */
export function firstAnswerFrom(record: DnsRecord, site: string, event: Nanoseconds): number | undefined {
  const after = Number(event - BigInt(record.start));
  const wanted = record.sites.indexOf(site);
  const index = record.sent.findIndex((time, n) => time >= after && record.site[n] === wanted && wanted >= 0);
  const time = record.sent[index];
  return time === undefined ? undefined : (time - after) / 1e6;
}

/** Queries sent between two moments and never answered. */
export function lostBetween(record: DnsRecord, from: Nanoseconds, to: Nanoseconds): number {
  const [first, last] = [from, to].map((time) => Number(time - BigInt(record.start)));
  return record.sent.filter((time, n) => time >= (first ?? 0) && time < (last ?? 0) && record.answered[n] === -1)
    .length;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
