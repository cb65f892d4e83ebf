import { decode, type Answer, type DecodedPacket } from "dns-packet";
import { Client } from "./client.ts";
import type { Sample } from "./paced.ts";

/** Both have seconds alone, and had the answer from upstream within one of each other. */
const TTL_TOLERANCE = 2;
const AUTHORITATIVE = 0x04_00;

/** How many answers were compared, and sentences about those that differ. */
export class Comparison {
  compared = 0;
  readonly different: string[] = [];

  /** Asks the other server at `port` the same, and compares: `cached`, both have had the answer since the same moment. */
  async add(samples: readonly Sample[], port: number, cached: boolean): Promise<void> {
    const client = await Client.open(port);
    for (const { bytes, atMs } of samples) {
      const ours = decode(bytes);
      const name = ours.questions?.[0]?.name ?? "";
      const theirs = await client.ask(name);
      const seconds = cached ? (Date.now() - atMs) / 1_000 : 0;
      const difference = theirs === undefined ? "no answer from the other" : differenceOf(ours, theirs, seconds);
      this.compared += 1;
      if (difference !== undefined) this.different.push(`${name}: ${difference}`);
    }
    client.close();
  }
}

/** In what two answers to one question differ, if the second was given so many seconds after the first; flags but for AA. */
export function differenceOf(ours: DecodedPacket, theirs: DecodedPacket, secondsLater: number): string | undefined {
  if (flagsOf(ours) !== flagsOf(theirs))
    return `flags and rcode ${flagsOf(ours).toString(16)} and ${flagsOf(theirs).toString(16)}`;
  for (const section of ["questions", "answers", "authorities", "additionals"] as const) {
    const [mine, other] = [ours, theirs].map((packet) => (packet[section] ?? []).map(textOf).toSorted().join(" | "));
    if (mine !== other) return `${section} ${mine} and ${other}`;
  }
  return ttlDifferenceOf(ours, theirs, secondsLater);
}

function flagsOf(packet: DecodedPacket): number {
  return (packet.flags ?? 0) & ~AUTHORITATIVE;
}

function ttlDifferenceOf(ours: DecodedPacket, theirs: DecodedPacket, secondsLater: number): string | undefined {
  for (const section of ["answers", "authorities", "additionals"] as const) {
    const [mine = [], other = []] = [ours, theirs].map((packet) =>
      (packet[section] ?? []).flatMap(ttlOf).toSorted((a, b) => a - b),
    );
    const apart = mine.findIndex((ttl, i) => isApart(section, ttl - secondsLater - (other[i] ?? 0)));
    if (apart >= 0) return `TTL in ${section} ${mine[apart]} and ${other[apart]}, ${secondsLater.toFixed(1)} s later`;
  }
  return undefined;
}

/** unbound keeps one SOA record for all names of a zone that do not exist: its TTL is as old as the first of these. */
function isApart(section: "answers" | "authorities" | "additionals", seconds: number): boolean {
  return section === "authorities" ? seconds < -TTL_TOLERANCE : Math.abs(seconds) > TTL_TOLERANCE;
}

/** A question or a record without its TTL. */
function textOf(record: object): string {
  const { ttl: _, ...rest } = record as { ttl?: number };
  return JSON.stringify(rest);
}

function ttlOf(record: Answer): number[] {
  return record.type === "OPT" || !("ttl" in record) || record.ttl === undefined ? [] : [record.ttl];
}
