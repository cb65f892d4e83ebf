import { join } from "node:path";
import { STITCH } from "@stitch/cli/program";
import type { Clock } from "@stitch/clock";
import type { LayoutOptions } from "./namespace/layout.ts";

const ROOT = join(import.meta.dirname, "../..");

/** The topologies there are, each a folder of this package. */
export const VARIANTS = ["anycast", "ospf", "ecmp", "three"] as const;
export type Variant = (typeof VARIANTS)[number];

export function isVariant(name: string): name is Variant {
  return (VARIANTS as readonly string[]).includes(name);
}

export function topologyFile(name: Variant): string {
  return join(ROOT, "lab", name, `${name}.clab.yml`);
}

/** What a host's `cmd` is handed to. */
const OURS: readonly string[] = [process.execPath, STITCH];
const STAND_IN: readonly string[] = [process.execPath, join(import.meta.dirname, "stand-in/stitch.ts")];

export interface VariantOptions {
  readonly clock: Clock;
  readonly progress?: (line: string) => void;
  readonly lasting?: boolean;
  /** The stand-in speaks BGP only, so it plays no part in `ospf`. */
  readonly standIn?: boolean;
}

/** A topology with the repository's own stitch on its hosts. */
export function variant(name: Variant, options: VariantOptions): LayoutOptions {
  const { clock, progress = () => undefined, lasting = false, standIn = false } = options;
  return {
    alsoNeeds: standIn ? ["bird"] : [],
    topologyFile: topologyFile(name),
    stitch: standIn ? STAND_IN : OURS,
    clock,
    progress,
    lasting,
  };
}
