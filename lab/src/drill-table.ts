/**
 * `node lab/src/drill-table.ts`: writes what the drills have measured into lab/README.md, between the two marks of each driver. No
 * number of those tables is typed by hand; rows of drills that have not been run since stay as they are, with the run they are of.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inOrder, type Measured, readMeasured } from "./measured.ts";

const DRIVERS = ["namespaces", "containerlab"];
const HEAD = ["| drill | variant | figures | held | run |", "| --- | --- | --- | --- | --- |"];

/** A line of a table, as it was read or is to be written. */
interface TableRow {
  readonly drill: string;
  readonly variant: string;
  readonly line: string;
  readonly run: string;
  /** What the run was made with. */
  readonly versions: string;
}

/** The text with a driver's table renewed between its marks. Throws where they are missing. */
export function withMeasured(readme: string, driver: string, measured: readonly Measured[]): string {
  const [begin, end] = [`<!-- measured under ${driver}: begin -->`, `<!-- measured under ${driver}: end -->`];
  const [before, rest] = readme.split(begin);
  const [old, after] = rest?.split(end) ?? [];
  if (before === undefined || old === undefined || after === undefined)
    throw new Error(`lab/README.md has no ${begin} ... ${end}`);
  const rows = new Map([...rowsIn(old), ...measured.map(rowOf)].map((row) => [`${row.variant} ${row.drill}`, row]));
  return `${before}${begin}\n\n${tableOf(driver, [...rows.values()].toSorted(inOrder))}\n\n${end}${after}`;
}

function rowOf({ drill, variant, figures, failures, run, versions }: Measured): TableRow {
  const numbers = Object.entries(figures).map(([name, value]) => `\`${name}\` ${value}`);
  const held = failures.length === 0 ? "yes" : failures.join("; ").replaceAll("|", "/");
  const tools = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const line = `| ${[drill, variant, numbers.join(", ") || "-", held, run].join(" | ")} |`;
  return { drill, variant, line, run, versions: tools.join(", ") };
}

/** Above the rows what each run was made with. */
function tableOf(driver: string, rows: readonly TableRow[]): string {
  const tools = Map.groupBy(rows, ({ versions }) => versions);
  const runs = [...tools].map(
    ([versions, members]) => `- ${versions}; ${[...new Set(members.map(({ run }) => run))].toSorted().join(", ")}`,
  );
  return [`Driver ${driver}; runs by their time, UTC:`, "", ...runs, "", ...HEAD, ...rows.map(({ line }) => line)].join(
    "\n",
  );
}

function rowsIn(text: string): readonly TableRow[] {
  const lines = text.split("\n");
  const toolsOf = new Map(
    lines.flatMap((line) => {
      const [, versions = "", times = ""] = /^- (.*); (.*)$/.exec(line) ?? [];
      return times.split(", ").map((time) => [time, versions] as const);
    }),
  );
  return lines
    .filter((line) => line.startsWith("| ") && !HEAD.includes(line))
    .map((line) => {
      const cells = line.split("|").map((cell) => cell.trim());
      const [drill = "", variant = "", run = ""] = [cells[1], cells[2], cells.at(-2)];
      return { drill, variant, line, run, versions: toolsOf.get(run) ?? "unknown" };
    });
}

if (process.argv[1] === import.meta.filename) {
  const file = join(import.meta.dirname, "../README.md");
  for (const driver of DRIVERS) {
    const measured = readMeasured(driver);
    if (measured.length > 0) writeFileSync(file, withMeasured(readFileSync(file, "utf8"), driver, measured));
  }
}
