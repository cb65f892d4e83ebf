import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DrillResult } from "../src/drill/drill.ts";
import { withMeasured } from "../src/drill-table.ts";
import { type MeasuredRun, readMeasured, recordRun } from "../src/measured.ts";

let folder = "";
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "stitch-measured-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function resultOf(drill: string, lost: number): DrillResult {
  return { drill, rows: [], figures: { [`${drill}_lost`]: lost }, failures: lost === 0 ? [] : [`${lost} lost`] };
}

function run(time: string, drills: readonly DrillResult[], frr = "8.4.4"): MeasuredRun {
  const instant = Temporal.Instant.from(`2026-11-${time}Z`);
  return { driver: "paper", variant: "anycast", time: instant, versions: { frr }, drills };
}

describe("what a run measured", () => {
  test("replaces what the same drill measured before, and leaves the others as they were", () => {
    recordRun(run("26T10:00:59", [resultOf("drain", 1), resultOf("nearest", 0)]), folder);
    recordRun(run("27T11:00", [resultOf("drain", 0)], "8.4.5"), folder);
    expect(readMeasured("paper", folder).map(({ drill, figures, run: of }) => [drill, figures, of])).toEqual([
      ["nearest", { nearest_lost: 0 }, "2026-11-26 10:00"],
      ["drain", { drain_lost: 0 }, "2026-11-27 11:00"],
    ]);
  });

  test("is not there before the first run", () => {
    expect(readMeasured("nobody", folder)).toEqual([]);
  });

  const marks = "a\n<!-- measured under paper: begin --><!-- measured under paper: end -->\nz\n";

  test("becomes a table with the run of each row, and what it was made with", () => {
    const text = withMeasured(marks, "paper", readMeasured("paper", folder));
    expect(text.split("\n").filter((line) => /^[-|az]/.test(line))).toEqual([
      "a",
      "- frr 8.4.4; 2026-11-26 10:00",
      "- frr 8.4.5; 2026-11-27 11:00",
      "| drill | variant | figures | held | run |",
      "| --- | --- | --- | --- | --- |",
      "| nearest | anycast | `nearest_lost` 0 | yes | 2026-11-26 10:00 |",
      "| drain | anycast | `drain_lost` 0 | yes | 2026-11-27 11:00 |",
      "z",
    ]);
  });

  test("leaves in the table what another machine has measured", () => {
    const text = withMeasured(marks, "paper", readMeasured("paper", folder));
    const later = mkdtempSync(join(folder, "fresh-"));
    recordRun(run("28T12:00", [resultOf("drain", 3)]), later);
    const renewed = withMeasured(text, "paper", readMeasured("paper", later));
    expect(renewed.split("\n").filter((line) => /^[-|]/.test(line))).toEqual([
      "- frr 8.4.4; 2026-11-26 10:00, 2026-11-28 12:00",
      "| drill | variant | figures | held | run |",
      "| --- | --- | --- | --- | --- |",
      "| nearest | anycast | `nearest_lost` 0 | yes | 2026-11-26 10:00 |",
      "| drain | anycast | `drain_lost` 3 | 3 lost | 2026-11-28 12:00 |",
    ]);
    expect(withMeasured(renewed, "paper", [])).toBe(renewed);
  });

  test("has its place in lab/README.md, for both drivers", () => {
    const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8");
    for (const driver of ["namespaces", "containerlab"]) expect(() => withMeasured(readme, driver, [])).not.toThrow();
    expect(withMeasured(readme, "containerlab", [])).toBe(readme);
    expect(() => withMeasured("no marks", "containerlab", [])).toThrow(/no <!-- measured under containerlab/);
  });
});
