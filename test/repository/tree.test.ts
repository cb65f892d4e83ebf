import { expect, test } from "vitest";
import { codeOf } from "./code.ts";
import { importsOf, packageOf, PACKAGES, sources, WORKSPACES } from "./tree.ts";

// The other tests of this folder pass when they find nothing wrong: what they look at must be there.

test("the packages of the repository are found", () => {
  expect(PACKAGES).toEqual(
    expect.arrayContaining(["announcer", "bgp-speaker", "clock", "config", "health", "linux-io"]),
  );
  expect(PACKAGES.length).toBeGreaterThanOrEqual(10);
  expect(WORKSPACES.length).toBeGreaterThanOrEqual(PACKAGES.length + 2);
});

test("sources and their imports are found", () => {
  const all = sources("packages");
  expect(all.length).toBeGreaterThan(100);
  expect(all.flatMap(importsOf).length).toBeGreaterThan(300);
});

test("every form of import is read, and only imports", () => {
  // Line by line, so that this file is not taken to import them.
  const text = [
    'import a from "one";',
    'import { b, type C as D } from "two/sub";',
    'import type { E } from "@three/x";',
    "import {",
    "  f,",
    '} from "./four.ts";',
    'import "five";',
    'export { g } from "six";',
    'export * from "./seven.ts";',
    'export const from = "eight";',
    `const h = await import(${JSON.stringify("nine")});`,
    '// import i from "ten";',
  ].join("\n");
  expect(importsOf({ path: "x.ts", text, code: text })).toEqual([
    { specifier: "one", typeOnly: false, names: [] },
    { specifier: "two/sub", typeOnly: false, names: ["b", "C"] },
    { specifier: "@three/x", typeOnly: true, names: ["E"] },
    { specifier: "./four.ts", typeOnly: false, names: ["f"] },
    { specifier: "five", typeOnly: false, names: [] },
    { specifier: "six", typeOnly: false, names: ["g"] },
    { specifier: "./seven.ts", typeOnly: false, names: [] },
    { specifier: "nine", typeOnly: false, names: [] },
  ]);
  expect(["one", "two/sub", "@three/x/y", "./four.ts", "node:net"].map(packageOf)).toEqual([
    "one",
    "two",
    "@three/x",
    undefined,
    undefined,
  ]);
});

test("comments, strings and regular expressions are not code; expressions in templates are", () => {
  const text = [
    'const a = "/*"; // one(',
    "/* two( */ const b = 'th\\'ree(';",
    "const c = `four( ${five(`six( ${seven({ eight: 1 })} nine(`)} ten(`;",
    'const d = x.replace(/[/"`(]\\/eleven\\(/g, twelve()) / 13 / 14;',
    "return /fifteen\\(/.test(e);",
  ].join("\n");
  const words = codeOf(text).match(/[a-z]+(?=\()/g);
  expect(words).toEqual(["five", "seven", "replace", "twelve", "test"]);
  expect(codeOf(text)).toContain("/ 13 / 14;");
});

test("reading code loses no bracket in any file", () => {
  const files = [...sources("packages"), ...sources("lab"), ...sources("test")];
  const lopsided = files.filter(({ code }) =>
    ["()", "[]", "{}"].some(([open = "", close = ""]) => count(code, open) !== count(code, close)),
  );
  expect(lopsided.map(({ path }) => path)).toEqual([]);
  const shell = files.find(({ path }) => path === "packages/clock/src/system-clock.ts");
  expect(shell?.code).toContain("setTimeout(");
});

function count(text: string, char: string): number {
  return text.split(char).length - 1;
}
