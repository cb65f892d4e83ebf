import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";

export const ZONE = "bench.test";
/** Octets that the answer adds to the question: an A record whose name points into it. */
export const ANSWER_BYTES = 16;
export const MOST_NAMES = 1_000_000;
const HOT_NAMES = 10_000;
const LINES_AT_ONCE = 50_000;

/** The zone that the upstream serves: ten thousand names, and below `any` every name that somebody thinks of. */
export function writeZone(folder: string): string {
  const file = join(folder, "bench.zone");
  const hot = Array.from({ length: HOT_NAMES }, (_, i) => `n${i} IN A 192.0.2.${i % 256}`);
  const lines = [
    `$ORIGIN ${ZONE}.`,
    "$TTL 3600",
    "@ IN SOA ns hostmaster 1 3600 600 86400 300",
    "@ IN NS ns",
    "ns IN A 127.0.0.1",
    ...hot,
    `*.any IN A 192.0.2.1`,
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);
  return file;
}

/** Questions for dnsperf, `count` names in an order that no cache line likes; as many as the zone has are of the zone. */
export function writeHits(folder: string, count: number): string {
  const step = 7_919; // prime, so that every name comes once
  const name = count > HOT_NAMES ? (i: number) => `n${i}.any.${ZONE}` : (i: number) => `n${i}.${ZONE}`;
  return write(join(folder, `hits-${count}.queries`), count, (i) => name((i * step) % count));
}

/** Questions that nobody has asked before and that have an answer; `run` makes them so. */
export function writeMisses(folder: string, run: string, count: number): string {
  return write(join(folder, "misses.queries"), count, (i) => `${run}-${i}.any.${ZONE}`);
}

/** The same, for names that do not exist. */
export function writeFlood(folder: string, run: string, count: number): string {
  return write(join(folder, "flood.queries"), count, (i) => `${run}-${i}.${ZONE}`);
}

/** One in so many of a mixture is forwarded. */
export const MIXTURE = 5;

/** Questions for names of the zone, and the last of every five for one that nobody has asked before. */
export function writeMixture(folder: string, run: string, count: number): string {
  const name = (i: number): string =>
    i % MIXTURE === MIXTURE - 1 ? `mixed-${run}-${i}.any` : `n${(i * 7_919) % HOT_NAMES}`;
  return write(join(folder, "mixture.queries"), count, (i) => `${name(i)}.${ZONE}`);
}

function write(file: string, count: number, name: (i: number) => string): string {
  const fd = openSync(file, "w");
  for (let i = 0; i < count; i += LINES_AT_ONCE) {
    const some = Math.min(LINES_AT_ONCE, count - i);
    writeSync(fd, Array.from({ length: some }, (_, j) => `${name(i + j)} A\n`).join(""));
  }
  closeSync(fd);
  return file;
}
