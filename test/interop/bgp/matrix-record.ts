import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Timing } from "./fault-cells.ts";

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

/** Replaces what is kept of the cell's last run. */
export function keepCell(cell: CellRecord): void {
  mkdirSync(MATRIX_FOLDER, { recursive: true });
  const file = join(MATRIX_FOLDER, `${createHash("sha256").update(cell.name).digest("hex").slice(0, 16)}.json`);
  writeFileSync(`${file}.new`, JSON.stringify(cell, null, 1));
  renameSync(`${file}.new`, file);
}
