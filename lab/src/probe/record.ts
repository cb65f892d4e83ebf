/** What a DNS probe hands back: one entry per query, times in ns after `start`. */
export interface DnsRecord {
  /** Monotonic ns, as text: JSON has no big integers. */
  readonly start: string;
  readonly sent: readonly number[];
  /** Receive time of the answer, or -1 where none came. */
  readonly answered: readonly number[];
  /** Index into `sites` of the answering site, or -1. */
  readonly site: readonly number[];
  readonly sites: readonly string[];
}

/** What a syslog probe hands back: when message n left, ns after `start`. */
export interface SyslogRecord {
  readonly start: string;
  readonly sent: readonly number[];
}

/** The words a probe prints on lines of their own before its record. */
export const WARM = "warm";
export const CHANGED = "changed ";
