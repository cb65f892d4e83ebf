import { BlockList } from "node:net";
import { parsePrefix, type Prefix } from "@stitch/bgp-speaker";
import type { KernelRoute } from "./kernel-route.ts";

/** What was found in the tables of one address family. */
export interface KernelTables {
  /** Routes of our protocol in the main table. */
  readonly routes: readonly KernelRoute[];
  /** Addresses that the local table delivers to this machine. */
  readonly local: BlockList;
  /** Those of them that an interface has: the kernel itself put them into the table. */
  readonly onInterface: ReadonlySet<string>;
}

/** One route as `ip -json route show` writes it, as far as it is looked at. */
interface ShownRoute {
  readonly type?: unknown;
  readonly dst?: unknown;
  readonly metric?: unknown;
  readonly protocol?: unknown;
}

/** Reads what `ip -json -batch` printed: the main table and the local one, an array and a line each. Undefined if not so. */
export function parseTables(text: string, family: Prefix["family"]): KernelTables | undefined {
  const [main, local, ...more] = text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map(arrayIn);
  if (main === undefined || local === undefined || more.length > 0) return undefined;
  return {
    routes: main.flatMap((shown) => kernelRoute(shown, family)),
    local: blocksOf(local, family),
    onInterface: new Set(
      local.flatMap(({ dst, protocol }) => (typeof dst === "string" && protocol === "kernel" ? [dst] : [])),
    ),
  };
}

function blocksOf(shown: readonly ShownRoute[], family: Prefix["family"]): BlockList {
  const blocks = new BlockList();
  for (const { dst } of shown) {
    const prefix = typeof dst === "string" ? prefixOf(dst, family) : undefined;
    if (prefix?.family === family) blocks.addSubnet(prefix.address, prefix.length, family);
  }
  return blocks;
}

function arrayIn(line: string): readonly ShownRoute[] | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return Array.isArray(value) ? value.filter((each) => typeof each === "object" && each !== null) : undefined;
  } catch {
    return undefined;
  }
}

/** The words go back to `ip` when a leftover is removed, so nothing but words may pass. */
function kernelRoute({ type = "unicast", dst, metric = 0 }: ShownRoute, family: Prefix["family"]): KernelRoute[] {
  if (typeof dst !== "string" || typeof type !== "string" || !/^[a-z]+$/.test(type)) return [];
  if (!Number.isSafeInteger(metric)) return [];
  const prefix = prefixOf(dst, family);
  return prefix === undefined ? [] : [{ prefix, type, metric: Number(metric) }];
}

/** `ip` writes a host route without its length, and the route to everywhere as `default`. */
function prefixOf(dst: string, family: Prefix["family"]): Prefix | undefined {
  if (dst === "default") return parsePrefix(family === "ipv4" ? "0.0.0.0/0" : "::/0");
  return parsePrefix(dst.includes("/") ? dst : `${dst}/${family === "ipv4" ? 32 : 128}`);
}
