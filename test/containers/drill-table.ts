/**
 * `node test/containers/drill-table.ts`: writes what the last `npm run test:containers` measured into lab/README.md, between
 * the two marks there. No number of that table is typed by hand.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Variant, VARIANTS } from "@stitch/lab";
import { CACHE, ROOT } from "./engine.ts";

export interface MeasuredRun {
  readonly driver: string;
  readonly date: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly drills: readonly {
    readonly drill: string;
    readonly figures: Readonly<Record<string, number>>;
    readonly failures: readonly string[];
  }[];
}

const BEGIN = "<!-- measured by npm run test:containers: begin -->";
const END = "<!-- measured by npm run test:containers: end -->";

/** Where the last run of a variant's drills is kept. */
export function drillsFile(variant: Variant): string {
  return join(CACHE, `drills-${variant}.json`);
}

/** A row for each drill: its figures in one cell, and whether it held. */
export function drillTable(variant: Variant, { driver, date, versions, drills }: MeasuredRun): string {
  const tools = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const rows = drills.map(({ drill, figures, failures }) => {
    const cells = Object.entries(figures).map(([name, value]) => `\`${name}\` ${value}`);
    return `| ${drill} | ${cells.join(", ") || "-"} | ${failures.length === 0 ? "yes" : failures.join("; ")} |`;
  });
  const head = `\`${variant}\`, driver ${driver}, ${date}: ${tools.join(", ")}.`;
  return [head, "", "| drill | figures | held |", "| --- | --- | --- |", ...rows].join("\n");
}

/** The text with the table between the marks. Throws where they are missing. */
export function withTable(readme: string, table: string): string {
  const [before, rest] = readme.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`lab/README.md has no ${BEGIN} ... ${END}`);
  return `${before}${BEGIN}\n\n${table}\n\n${END}${after}`;
}

if (process.argv[1] === import.meta.filename) {
  const file = join(ROOT, "lab/README.md");
  const tables = VARIANTS.filter((variant) => existsSync(drillsFile(variant))).map((variant) =>
    drillTable(variant, JSON.parse(readFileSync(drillsFile(variant), "utf8")) as MeasuredRun),
  );
  writeFileSync(file, withTable(readFileSync(file, "utf8"), tables.join("\n\n")));
}
