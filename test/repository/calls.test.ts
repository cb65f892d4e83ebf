import { expect, test } from "vitest";
import { nameOf, PACKAGES, shipped, sources, type SourceFile } from "./tree.ts";

/** Time, chance and environment come in as arguments (Clock, a seed, settings); these are where they come from. */
const FORBIDDEN: Readonly<Record<string, RegExp>> = {
  "Date.now": /\bDate\.now\b/,
  "new Date()": /\bnew Date\(\s*\)/,
  "performance.now": /\bperformance\.now\b/,
  setTimeout: /\bsetTimeout\b/,
  setInterval: /\bsetInterval\b/,
  "process.env": /\bprocess\.env\b/,
  "process.argv": /\bprocess\.argv\b/,
  "Math.random": /\bMath\.random\b/,
};

/** The I/O shells, by their place. */
function isShell({ path }: SourceFile): boolean {
  if (path.startsWith("packages/clock/src/") || path.startsWith("packages/cli/")) return true;
  return ["main.ts", "server.ts"].includes(nameOf(path)) || /(^|\/)transport\/|(^|[/-])transport\.ts$/.test(path);
}

/** Exceptions: file, call, and why it may. Keep it short; an unused one fails the test. */
const ALLOWED: readonly (readonly [file: string, call: string, why: string])[] = [];

test("time, chance and environment are read only in the I/O shells", () => {
  const files = PACKAGES.flatMap((name) => shipped(name));
  expect(files.length).toBeGreaterThan(60);
  const found = files
    .filter((file) => !isShell(file))
    .flatMap(({ path, code }) =>
      Object.entries(FORBIDDEN)
        .filter(([, pattern]) => pattern.test(code))
        .map(([call]) => `${path}: ${call}`),
    );
  expect(found.toSorted()).toEqual(ALLOWED.map(([file, call]) => `${file}: ${call}`).toSorted());
});

test("no debug prints are left", () => {
  const files = [...sources("packages"), ...sources("lab"), ...sources("test")];
  expect(files.length).toBeGreaterThan(100);
  const prints = /\bconsole\.(log|debug|info|warn|error|trace|dir)\b|\bdebugger\b/;
  expect(files.filter(({ code }) => prints.test(code)).map(({ path }) => path)).toEqual([]);
});

test("no test is switched off or run alone", () => {
  const files = [...sources("packages"), ...sources("lab"), ...sources("test")].filter(({ code }) =>
    /\b(test|it|describe)[.(]/.test(code),
  );
  expect(files.length).toBeGreaterThan(20);
  const off = /\b(test|it|describe|bench)(\.\w+)*\.(only|skip|todo|fails)\b|\b(xit|xtest|xdescribe|fit|fdescribe)\(/;
  expect(files.filter(({ code }) => off.test(code)).map(({ path }) => path)).toEqual([]);
});

test("a conditional skip is about the platform, or about something that is never missing in CI", () => {
  const skips = [...sources("packages"), ...sources("lab"), ...sources("test")].flatMap(({ path, text }) =>
    [...text.matchAll(/\b(?:test|it|describe)\.skipIf\(([^)]*)\)/g)].map(([, condition = ""]) => ({
      path,
      text,
      condition,
    })),
  );
  expect(skips.length).toBeGreaterThanOrEqual(3);
  const wrong = skips.filter(
    ({ text, condition }) => !/^process\.platform [!=]==/.test(condition) && !knowsCi(text, condition),
  );
  expect(wrong.map(({ path, condition }) => `${path}: ${condition}`)).toEqual([]);
});

/** The condition is made of constants of the file, and each of them is false where CI is set. */
function knowsCi(text: string, condition: string): boolean {
  const names =
    condition.match(/[a-z]\w*/gi)?.filter((word) => !["undefined", "true", "false", "null"].includes(word)) ?? [];
  return (
    names.length > 0 &&
    names.every((name) => new RegExp(`^\\s*const ${name}\\b[^;]*\\b(CI|ci|inCi)\\b`, "m").test(text))
  );
}
