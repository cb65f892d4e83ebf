import { formatName, isBelow, parseName } from "../wire/name.ts";
import { builtInZones } from "./built-in.ts";
import { HostsTable } from "./hosts-file.ts";
import type { LocalZone } from "./local-zone.ts";
import { readingFiles, refuse, whole, type TextFile } from "./read-text.ts";
import { atOnce, type Steps } from "../sliced.ts";
import { zoneSteps } from "./zone-file.ts";

export interface LocalData {
  /** They own their apex and all below it. */
  readonly zones: readonly LocalZone[];
  /** They own one name each. */
  readonly hosts: readonly LocalZone[];
}

/** The self-check asks for it, so nothing may say otherwise (RFC 6761 section 6.3). */
const LOCALHOST = parseName("localhost") ?? Uint8Array.of(0);

/** Reads hosts and zone files. Throws ConfigError with file and line of every problem of the first bad file. */
export function loadLocal(hostsFiles: readonly string[], zoneFiles: readonly string[]): LocalData {
  return atOnce(localSteps(atOnce(readingFiles(hostsFiles)), atOnce(readingFiles(zoneFiles))));
}

/** The same from texts, step by step; ends with ConfigError too. */
export function* localSteps(hostsFiles: readonly TextFile[], zoneFiles: readonly TextFile[]): Steps<LocalData> {
  const hosts = new HostsTable();
  for (const { file, text } of hostsFiles) refuse(file, yield* hosts.reading(text));
  const zones: LocalZone[] = [];
  for (const { file, text } of zoneFiles) {
    const { zone, problems } = yield* zoneSteps(text);
    refuse(file, problems);
    if (zone === undefined) continue;
    if (isBelow(zone.apex, LOCALHOST))
      refuse(file, [whole(`${formatName(zone.apex)} is built in: leave this file out`)]);
    const twice = zones.some(({ apex }) => Buffer.compare(apex, zone.apex) === 0);
    if (twice) refuse(file, [whole(`${formatName(zone.apex)} is in another zone file too`)]);
    zones.push(zone);
  }
  const builtIn = builtInZones().filter(({ apex }) => !zones.some((zone) => Buffer.compare(zone.apex, apex) === 0));
  return { zones: [...zones, ...builtIn], hosts: [...hosts.zones.values()] };
}
