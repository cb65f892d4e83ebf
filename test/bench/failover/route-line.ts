/** What `ip -ts monitor route` says of one prefix. */
export interface RouteLine {
  /** Wall time, ns since 1970. */
  readonly wall: bigint;
  /** The next hop from now on; undefined: the route is gone. */
  readonly via: string | undefined;
}

const LINE = /^\[(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{6})\] (Deleted )?(?:unicast )?(\S+) (.*)$/;

/** `[2026-11-27T03:51:19.861661] 10.10.10.53 nhid 12 via 10.99.0.2 dev wire0 proto bgp metric 20`, written with TZ=UTC; else undefined. */
export function parseRouteLine(line: string, prefix: string): RouteLine | undefined {
  const [, second = "", micros = "", deleted, shown, rest = ""] = LINE.exec(line) ?? [];
  if (shown === undefined || (shown.includes("/") ? shown : `${shown}/32`) !== prefix) return undefined;
  if (/\btable \S/.test(rest)) return undefined;
  const wall = BigInt(Date.parse(`${second}Z`)) * 1_000_000n + BigInt(micros) * 1_000n;
  return { wall, via: deleted === undefined ? /\bvia (\S+)/.exec(rest)?.[1] : undefined };
}
