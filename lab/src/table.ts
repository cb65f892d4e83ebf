import type { Row } from "./drill/drill.ts";

/** Rows as aligned text; numbers to the right. */
export function table(rows: readonly Row[]): string {
  const columns = Object.keys(rows[0] ?? {});
  const cells = rows.map((row) => columns.map((column) => row[column] ?? ""));
  const widths = columns.map((column, i) => Math.max(column.length, ...cells.map((line) => String(line[i]).length)));
  const write = (line: readonly (string | number)[]): string =>
    line
      .map((cell, i) =>
        typeof cell === "number" ? String(cell).padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0),
      )
      .join("  ")
      .trimEnd();
  return [write(columns), write(widths.map((width) => "-".repeat(width))), ...cells.map(write)].join("\n");
}
