import { isIP } from "node:net";
import { SystemClock } from "@stitch/clock";
import { duration, SiteDocument } from "@stitch/config";
import { syslogConfig } from "@stitch/syslog-collector";
import {
  follow,
  formatRecord,
  microsOf,
  readRecords,
  SEVERITIES,
  type LogRecord,
  type RecordFilter,
} from "@stitch/syslog-collector/store";
import { CommandError, UsageError } from "../usage.ts";
import type { OperateContext } from "./operate.ts";

export interface LogsOptions {
  readonly follow: boolean;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly sender?: string | undefined;
  readonly host?: string | undefined;
  readonly severity?: string | undefined;
  readonly text: string;
}

const clock = new SystemClock();

/** What -f shows of what is there already: a person sees at once that the right thing is being followed. */
const RECENT = 10;

/** Prints what the collector has stored, oldest first; with -f goes on with what comes, from now or from --since. */
export async function logs({ file, json, print }: OperateContext, options: LogsOptions): Promise<number> {
  const { path } = syslogConfig(SiteDocument.load(file)).store;
  const filter = filterOf(options);
  const show = (record: LogRecord): void => print(json ? jsonLine(record) : formatRecord(record));
  const reading = { ...filter, path, onDamaged: tellDamaged };
  try {
    let last: number | undefined;
    if (!options.follow || options.since !== undefined) {
      for await (const record of readRecords(reading)) {
        show(record);
        last = record.seq;
      }
    }
    if (!options.follow) return 0;
    // From --since on, nothing between the reading and the following may be missed; without it, what is new behind the last few.
    const from = options.since === undefined ? { recent: RECENT } : { after: last ?? -1 };
    for await (const record of follow({ ...reading, ...from, clock })) show(record);
    return 0;
  } catch (failure) {
    throw unreadable(path, failure as NodeJS.ErrnoException);
  }
}

/** C1 controls and bidirectional marks, which JSON allows as they are and terminals act on. */
const ACTED_ON = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** The record as JSON that is safe to print: a sender must not write to the reader's screen. */
export function jsonLine(record: LogRecord): string {
  return JSON.stringify(record).replaceAll(
    ACTED_ON,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function tellDamaged(path: string, failure: Error): void {
  process.stderr.write(`stitch: ${path} could not be read to its end (${failure.message}); going on with the next\n`);
}

function unreadable(path: string, failure: NodeJS.ErrnoException): Error {
  if (failure.code === "ENOENT")
    return new CommandError(`${path}: no store there; has the collector of this site run here?`);
  if (failure.code === "EACCES") return new CommandError(`${path} may not be read by this user`);
  return failure;
}

function filterOf({ since, until, sender, host, severity, text }: LogsOptions): RecordFilter {
  if (sender !== undefined && isIP(sender) === 0) throw new UsageError(`--sender takes an address, not "${sender}"`);
  return {
    ...(since === undefined ? {} : { since: timeOf("--since", since) }),
    ...(until === undefined ? {} : { until: timeOf("--until", until) }),
    ...(sender === undefined ? {} : { sender }),
    ...(host === undefined ? {} : { host }),
    ...(severity === undefined ? {} : { severity: severityOf(severity) }),
    ...(text === "" ? {} : { text }),
  };
}

/** `1h` (ago) or an RFC 3339 time, as microseconds since 1970. */
function timeOf(option: string, text: string): number {
  const ago = duration().safeParse(text);
  if (ago.success) return clock.wallMicros() - ago.data * 1_000;
  if (/^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text))) return microsOf(text);
  throw new UsageError(`${option} takes how long ago (1h, 30m) or a time (2026-11-22T14:42:01Z), not "${text}"`);
}

/** A name or number of RFC 5424; matches it and everything worse. */
function severityOf(text: string): number {
  const byName = SEVERITIES.findIndex((name) => name === text.toLowerCase());
  if (byName >= 0) return byName;
  if (/^[0-7]$/.test(text)) return Number(text);
  throw new UsageError(`--severity takes one of ${SEVERITIES.join(", ")} or 0 to 7, not "${text}"`);
}
