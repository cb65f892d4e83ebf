import { formatPrefix, parsePrefix, type Prefix } from "@stitch/bgp-speaker";

/**
 * What the announcer writes to its watchdog's standard input, line by line. Each line is a heartbeat. An empty one is
 * nothing more; any other names the VIPs whose routes are to be removed when no more lines come.
 *
 *     10.10.10.53/32 fd00:10:10::53/128
 */
export const HEARTBEAT = "\n";

export function lineOf(prefixes: readonly Prefix[]): string {
  return `${prefixes.map(formatPrefix).join(" ")}\n`;
}

/** The VIPs of a line; undefined where it is a heartbeat and nothing more. */
export function prefixesIn(line: string): readonly Prefix[] | undefined {
  return line === "" ? undefined : line.split(" ").flatMap((text) => parsePrefix(text) ?? []);
}
