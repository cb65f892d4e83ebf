import { join } from "node:path";
import { execa } from "execa";
import { type CellRecord, MATRIX_FOLDER } from "../../interop/bgp/matrix-record.ts";
import type { Timing } from "../../interop/bgp/fault-cells.ts";
import { spreadOf, spreadText } from "../spread.ts";
import type { Row } from "./report.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..");

/** Where its cells are: what a session can do, and what can be done to it. */
const FILES = ["test/interop/bgp.test.ts", "test/long/bgp-matrix.test.ts"];

/** Runs every cell of the interop matrix (more than an hour); its own output goes where progress goes. */
export async function runMatrix(): Promise<void> {
  const argv = ["run", "--project", "system", "--project", "long", ...FILES];
  // What fails is in the record, and thereby in the table.
  await execa("vitest", argv, {
    cwd: ROOT,
    preferLocal: true,
    reject: false,
    stdout: process.stderr,
    stderr: "inherit",
  });
}

/** A row for each cell, a column for each router, ms; in the order in which cells first ended. */
export function matrixRows(cells: readonly CellRecord[]): Row[] {
  const timings = cells.toSorted((a, b) => a.ended.localeCompare(b.ended)).flatMap((cell) => cell.timings.map(split));
  const routers = [...new Set(timings.map(({ router }) => router))].toSorted();
  const rows = [...new Set(timings.map(({ cell }) => cell))];
  return rows.map((cell) => ({
    cell,
    ...Object.fromEntries(
      routers.map((router) => {
        const of = timings.filter((each) => each.cell === cell && each.router === router);
        return [`${router} ms`, text(of.map(({ milliseconds }) => milliseconds))];
      }),
    ),
  }));
}

/** What is to be known of the record: how much of it is green, when it was made, with which programs. */
export function matrixHead(cells: readonly CellRecord[]): string {
  if (cells.length === 0) return `interop matrix: never run here (${MATRIX_FOLDER} is empty); --matrix runs it first`;
  const ended = cells.map((cell) => cell.ended).toSorted();
  const versions = Object.assign({}, ...cells.map((cell) => cell.versions)) as Record<string, string>;
  const programs = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const green = cells.filter(({ passed }) => passed).length;
  const run = `${green} of ${cells.length} tests passed, run ${ended[0]} to ${ended.at(-1)}, ${programs.join(", ")}`;
  return `interop matrix: ${run}; ms until frr's and bird's kernel route or the others' table, looked at every 20 ms`;
}

/** Sentences about what is red. */
export function matrixMissed(cells: readonly CellRecord[]): string[] {
  return cells.filter(({ passed }) => !passed).map(({ name, ended }) => `failed at ${ended}: ${name}`);
}

/** `frr: withdraw` is the cell `withdraw` of frr. */
function split({ cell, milliseconds }: Timing): { router: string; cell: string; milliseconds: number } {
  const colon = cell.indexOf(": ");
  return { router: cell.slice(0, colon), cell: cell.slice(colon + 2), milliseconds };
}

function text(values: readonly number[]): string {
  if (values.length === 0) return "";
  return values.length === 1 ? (values[0] ?? 0).toFixed(0) : spreadText(spreadOf(values), 0);
}
