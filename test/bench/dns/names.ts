import { writeFileSync } from "node:fs";
import { join } from "node:path";

export const ZONE = "bench.test";
/** Names that are asked again and again. */
export const HOT_NAMES = 10_000;
/** Names below it all exist, each with an address: every one asked for the first time is a question for the upstream. */
const COLD = `cold.${ZONE}`;

/** The zone that the upstream serves. */
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
    `*.cold IN A 192.0.2.1`,
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);
  return file;
}

/** Questions for dnsperf: the hot names in an order that no cache line likes. */
export function writeHotQueries(folder: string): string {
  const file = join(folder, "hot.queries");
  const step = 7_919; // prime, so that every name comes once
  writeFileSync(file, Array.from({ length: HOT_NAMES }, (_, i) => `n${(i * step) % HOT_NAMES}.${ZONE} A\n`).join(""));
  return file;
}

/** Questions that nobody has asked before: `run` makes them so. */
export function writeColdQueries(folder: string, run: string, count: number): string {
  const file = join(folder, "cold.queries");
  writeFileSync(file, Array.from({ length: count }, (_, i) => `${run}-${i}.${COLD} A\n`).join(""));
  return file;
}
