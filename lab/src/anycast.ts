import { join } from "node:path";
import type { Clock } from "@stitch/clock";
import type { LayoutOptions } from "./namespace/layout.ts";

const ROOT = join(import.meta.dirname, "../..");
export const ANYCAST_TOPOLOGY: string = join(ROOT, "lab/anycast/anycast.clab.yml");

/** What a host's `cmd` is handed to. */
export const STITCH: readonly string[] = [process.execPath, join(ROOT, "packages/cli/bin/stitch.js")];
export const STAND_IN: readonly string[] = [process.execPath, join(import.meta.dirname, "stand-in/stitch.ts")];

export interface AnycastOptions {
  readonly clock: Clock;
  readonly progress?: (line: string) => void;
  readonly lasting?: boolean;
  readonly standIn?: boolean;
}

/** The anycast topology with the repository's own stitch on its hosts. */
export function anycast({
  clock,
  progress = () => undefined,
  lasting = false,
  standIn = false,
}: AnycastOptions): LayoutOptions {
  return {
    alsoNeeds: standIn ? ["bird"] : [],
    topologyFile: ANYCAST_TOPOLOGY,
    stitch: standIn ? STAND_IN : STITCH,
    clock,
    progress,
    lasting,
  };
}
