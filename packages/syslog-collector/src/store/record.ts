/** One stored datagram, as its line of JSON says it. Absent keys were not in the datagram. */
export interface LogRecord {
  /** Position in this collector's stream: counts up by one, across segments and restarts. */
  readonly seq: number;
  /** When the kernel or, lacking that, the collector had it: RFC 3339, UTC, nanoseconds. */
  readonly rx: string;
  /** Sender, `192.0.2.1:514`. */
  readonly from: string;
  /** Address that it was sent to; absent on a socket that takes all addresses, where the platform does not say. */
  readonly to?: string;
  readonly layout: "unparsed" | "rfc5424" | "rfc3164";
  readonly truncated?: true;
  readonly facility?: number;
  /** 0 emergency .. 7 debug. */
  readonly severity?: number;
  /** The sender's own time, with a zone only if it named one. */
  readonly time?: string;
  /** The sender said that its clock is not synchronized. */
  readonly unsynchronized?: true;
  readonly host?: string;
  readonly app?: string;
  readonly pid?: string;
  readonly msgid?: string;
  /** Cisco's message count and `service sequence-numbers`. */
  readonly counter?: number;
  readonly sequence?: number;
  readonly sd?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
  /** The datagram as received, when it is UTF-8; else `raw64`. */
  readonly raw?: string;
  readonly raw64?: string;
  readonly message: string;
}

/** Severity names of RFC 5424 section 6.2.1; the index is the number. */
export const SEVERITIES = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** Facility names as syslog.conf writes them; the index is the number. */
export const FACILITIES: readonly string[] =
  "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit alert clock local0 local1 local2 local3 local4 local5 local6 local7".split(
    " ",
  );

/** The datagram's bytes, exactly. */
export function rawBytes(record: LogRecord): Buffer {
  return record.raw64 === undefined ? Buffer.from(record.raw ?? "", "utf8") : Buffer.from(record.raw64, "base64");
}

/** The sender's address without its port. */
export function senderAddress(from: string): string {
  const colon = from.lastIndexOf(":");
  return from.slice(0, colon).replace(/^\[|\]$/g, "");
}

/** Reads one line; undefined when it is not a record (torn by a crash, or not ours). */
export function parseRecord(line: string): LogRecord | undefined {
  try {
    const value = JSON.parse(line) as LogRecord | null;
    return value !== null && typeof value === "object" && isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** What every reader relies on: bits that turned on the disk may leave a line JSON and no record. */
function isRecord({ seq, rx, from, message }: LogRecord): boolean {
  const texts: readonly unknown[] = [rx, from, message];
  return Number.isSafeInteger(seq) && texts.every((text) => typeof text === "string");
}
