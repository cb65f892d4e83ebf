import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DrillResult } from "./drill/drill.ts";
import { DRILLS } from "./drill/index.ts";
import { VARIANTS, type Variant } from "./variant.ts";

/** What a drill has measured last, and in which run. */
export interface Measured extends Pick<DrillResult, "drill" | "figures" | "failures"> {
  readonly variant: Variant;
  /** Day and minute, UTC. */
  readonly run: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** What one run hands in: some drills, or all. */
export interface MeasuredRun {
  readonly driver: string;
  readonly variant: Variant;
  readonly time: Temporal.Instant;
  readonly versions: Readonly<Record<string, string>>;
  readonly drills: readonly DrillResult[];
}

const FOLDER = join(import.meta.dirname, "../../.cache/drills");

/** What has been measured under a driver; empty where nothing has. */
export function readMeasured(driver: string, folder: string = FOLDER): readonly Measured[] {
  try {
    return JSON.parse(readFileSync(fileOf(driver, folder), "utf8")) as readonly Measured[];
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw failure;
  }
}

/** Keeps a run's results for the table in lab/README.md. Drills that were not in the run keep what they have measured before. */
export function recordRun(run: MeasuredRun, folder: string = FOLDER): void {
  mkdirSync(folder, { recursive: true });
  const file = fileOf(run.driver, folder);
  writeFileSync(`${file}.new`, JSON.stringify(merged(readMeasured(run.driver, folder), run), undefined, 1));
  renameSync(`${file}.new`, file);
}

/** Pure: of each drill in each topology the latest. */
function merged(before: readonly Measured[], { variant, time, versions, drills }: MeasuredRun): Measured[] {
  const run = time.toString({ smallestUnit: "minute" }).replace("T", " ").replace("Z", "");
  const latest = drills.map(({ drill, figures, failures }) => ({ drill, figures, failures, variant, run, versions }));
  const replaced = new Set(latest.map(keyOf));
  return [...before.filter((each) => !replaced.has(keyOf(each))), ...latest].toSorted(inOrder);
}

interface Named {
  readonly drill: string;
  readonly variant: string;
}

/** By topology, and there in the order in which the drills tell the story. */
export function inOrder(a: Named, b: Named): number {
  return placeOf(a) - placeOf(b);
}

function keyOf({ drill, variant }: Named): string {
  return `${variant} ${drill}`;
}

function placeOf({ drill, variant }: Named): number {
  const topology = VARIANTS.findIndex((name) => name === variant);
  return topology * DRILLS.length + DRILLS.findIndex(({ name }) => name === drill);
}

function fileOf(driver: string, folder: string): string {
  return join(folder, `${driver}.json`);
}
