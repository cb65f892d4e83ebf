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

/** How a TCP connection ended, as its client saw it. `left`: nothing happened to it until the probe itself ended it. */
export type Ending = "reset" | "closed" | "refused" | "silent" | "left";

export interface Connection {
  /** ns after `start`; -1 for what never was. */
  readonly tried: number;
  readonly opened: number;
  readonly ended: number;
  readonly ending: Ending;
}

/** What a probe of DNS over TCP hands back: its queries, as over UDP, and the connections that carried them. */
export interface TcpRecord extends DnsRecord {
  readonly connections: readonly Connection[];
}

/** What a flood hands back: datagrams in each second since it began. */
export interface FloodRecord {
  readonly sent: readonly number[];
  readonly answered: readonly number[];
}

/** The words a probe prints on lines of their own before its record. */
export const WARM = "warm";
export const CHANGED = "changed ";
