import { dirname } from "node:path";
import { expect, test } from "vitest";
import { entries, nameOf, sources, WORKSPACES } from "./tree.ts";

/** Folders whose files are read by a test, by the name of what they hold. */
const FIXTURE_FOLDERS = new Set(["fixtures", "vectors", "scenarios", "scenario", "corpus", "crashes", "captures"]);
/** An assertion about how many were read: a number, not a comparison with another reading of the folder. */
const COUNTED =
  /\.toHaveLength\(\s*\d|(length|size|count)\)\s*\.(toBe|toEqual|toBeGreaterThan|toBeGreaterThanOrEqual)\(\s*\d/i;

const folders = WORKSPACES.flatMap((workspace) =>
  entries(`${workspace}/test`).map((path) => ({ workspace, path })),
).filter(({ path }) => path.endsWith("/") && FIXTURE_FOLDERS.has(nameOf(path)));

const withData = folders.filter(({ path }) => entries(path).some((file) => !file.endsWith("/")));

test("fixture folders are found", () => {
  expect(withData.length).toBeGreaterThanOrEqual(2);
});

test("every fixture folder is read by a test beside it that says how many files it read", () => {
  const unread = withData.filter(({ path }) => {
    const tests = sources(dirname(path)).filter((file) => file.path.endsWith(".test.ts"));
    return !tests.some(({ text }) => text.includes(nameOf(path)) && COUNTED.test(text));
  });
  expect(unread.map(({ path }) => path)).toEqual([]);
});
