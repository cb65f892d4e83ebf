import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { peer, type PeerName } from "@stitch/peers";
import { afterEach, beforeAll } from "vitest";

import type { Timing } from "./fault-cells.ts";
import { ROUTERS } from "./routers.ts";

/** One test of the matrix, as it went the last time that it ran. */
export interface CellRecord {
  readonly name: string;
  readonly passed: boolean;
  /** When it ended, ISO 8601. */
  readonly ended: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly timings: readonly Timing[];
}

/** Read by `npm run bench -- failover`: a file for each test, so that runs of parts of the matrix may go side by side. */
export const MATRIX_FOLDER: string = join(import.meta.dirname, "../../../.cache/matrix/bgp");

/** The matrix as it was last run, each cell at its own time. */
export function readMatrix(): readonly CellRecord[] {
  if (!existsSync(MATRIX_FOLDER)) return [];
  const files = readdirSync(MATRIX_FOLDER).filter((name) => name.endsWith(".json"));
  return files.map((name) => JSON.parse(readFileSync(join(MATRIX_FOLDER, name), "utf8")) as CellRecord);
}

/** In a test file: every test's result, and the times that it has added, replace those of its last run. */
export function recordCells(timings: readonly Timing[]): void {
  let versions: Readonly<Record<string, string>> = {};
  let known = 0;
  beforeAll(async () => void (versions = await versionsOf(ROUTERS)));
  afterEach(({ task }) => {
    const name = [...suitesOf(task.suite), task.name].join(" > ");
    const passed = task.result?.state !== "fail";
    keep({ name, passed, ended: new Date().toISOString(), versions, timings: timings.slice(known) });
    known = timings.length;
  });
}

function keep(cell: CellRecord): void {
  mkdirSync(MATRIX_FOLDER, { recursive: true });
  const file = join(MATRIX_FOLDER, `${createHash("sha256").update(cell.name).digest("hex").slice(0, 16)}.json`);
  writeFileSync(`${file}.new`, JSON.stringify(cell, null, 1));
  renameSync(`${file}.new`, file);
}

interface Named {
  readonly name: string;
  readonly suite?: Named | undefined;
}

function suitesOf(suite: Named | undefined): string[] {
  return suite === undefined ? [] : [...suitesOf(suite.suite), suite.name];
}

async function versionsOf(names: readonly PeerName[]): Promise<Readonly<Record<string, string>>> {
  const found = await Promise.all(names.map(async (name) => [name, (await peer(name)).version] as const));
  return { node: process.version, ...Object.fromEntries(found) };
}
