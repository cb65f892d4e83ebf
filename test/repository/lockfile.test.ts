import { expect, test } from "vitest";
import { read } from "./tree.ts";

interface Locked {
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/**
 * npm leaves the packages of other platforms out of the lockfile where a registry does not have them (or has not got
 * them yet), and then refuses its own lockfile: `npm ci` fails on every machine. Versions are chosen so that all exist.
 */
test("the lockfile has every platform's packages", () => {
  const { packages } = JSON.parse(read("package-lock.json")) as { packages: Readonly<Record<string, Locked>> };
  const wanted = Object.entries(packages).flatMap(([from, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).map((name) => ({ from, name })),
  );
  expect(wanted.length).toBeGreaterThan(40);
  const missing = wanted.filter(
    ({ from, name }) =>
      packages[`node_modules/${name}`] === undefined && packages[`${from}/node_modules/${name}`] === undefined,
  );
  expect(missing).toEqual([]);
});
