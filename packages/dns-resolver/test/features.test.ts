import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const HERE = import.meta.dirname;

/** First cells of the README's table of features. */
function features(): string[] {
  const lines = readFileSync(join(HERE, "..", "README.md"), "utf8").split("\n");
  const from = lines.indexOf("| feature | how |") + 2;
  const rows = lines.slice(from, lines.indexOf("", from));
  return rows.map((row) => row.split("|")[1]?.trim() ?? "");
}

/** Names that the tests of this package have, `describe` and scenarios included. */
function testNames(): string[] {
  const files = globSync("*.test.ts", { cwd: HERE }).filter((file) => file !== "features.test.ts");
  const text = files.map((file) => readFileSync(join(HERE, file), "utf8")).join("\n");
  const scenarios = globSync("scenarios/*.rpl", { cwd: HERE }).map((file) => readFileSync(join(HERE, file), "utf8"));
  const titles = scenarios.map((rpl) => /^SCENARIO_BEGIN (.*)$/m.exec(rpl)?.[1] ?? "");
  const names = [...text.matchAll(/\b(?:test|describe)(?:\.each[\s\S]*?\])?\)?\(\s*"([^"]+)"/g)].map(
    ([, name = ""]) => name,
  );
  return [...names, ...titles];
}

test("every feature of the README has a test that bears its name", () => {
  const names = testNames();
  expect(features().length).toBeGreaterThan(0);
  expect(features().filter((feature) => !names.some((name) => name.startsWith(feature)))).toEqual([]);
});
