import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { codeOf } from "./code.ts";

/** The repository as its own tests read it. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const NOT_OURS = new Set(["node_modules", ".git", ".cache", "dist"]);

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export interface SourceFile {
  /** From the root of the repository, with slashes. */
  readonly path: string;
  readonly text: string;
  /** The text without comments and without the insides of strings, templates and regular expressions. */
  readonly code: string;
}

/** Every file and folder below `folder`, from the root of the repository, with slashes; folders end in one. */
export function entries(folder: string): string[] {
  const found: string[] = [];
  const absolute = join(ROOT, folder);
  if (!existsSync(absolute)) return found;
  for (const entry of readdirSync(absolute, { withFileTypes: true })) {
    if (NOT_OURS.has(entry.name)) continue;
    const path = slashes(relative(ROOT, join(absolute, entry.name)));
    found.push(entry.isDirectory() ? `${path}/` : path);
    if (entry.isDirectory()) found.push(...entries(path));
  }
  return found;
}

export function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

export function exists(path: string): boolean {
  return existsSync(join(ROOT, path));
}

export function manifest(folder: string): Manifest {
  return JSON.parse(read(join(folder, "package.json"))) as Manifest;
}

/** Names of the folders in packages/. */
export const PACKAGES: readonly string[] = readdirSync(join(ROOT, "packages")).toSorted();

/** Folders with a package.json of their own, the root's aside. */
export const WORKSPACES: readonly string[] = [
  ...PACKAGES.map((name) => `packages/${name}`),
  ...["lab", "test", "test/peers"].filter((folder) => exists(`${folder}/package.json`)),
];

/** The TypeScript and JavaScript below `folder`; none when it does not exist. */
export function sources(folder: string): SourceFile[] {
  return entries(folder)
    .filter((path) => /\.(ts|js|mjs)$/.test(path))
    .map((path) => {
      const text = read(path);
      return { path, text, code: codeOf(text) };
    });
}

/** What ships: packages/NAME/src and bin. */
export function shipped(name: string): SourceFile[] {
  return [...sources(`packages/${name}/src`), ...sources(`packages/${name}/bin`)];
}

export interface Import {
  readonly specifier: string;
  /** Erased before running: `import type`. */
  readonly typeOnly: boolean;
  /** What stands between the braces; empty for other forms. */
  readonly names: readonly string[];
}

const STATIC = /^(?:import|export)\s+(type\s+)?(?:([^"';]*?)\s*from\s*)?"([^"]+)";?$/gm;
const DYNAMIC = /\bimport\(\s*"([^"]+)"\s*\)/g;

/** Imports and re-exports, as the formatter writes them (statements begin a line, double quotes). */
export function importsOf({ text }: SourceFile): Import[] {
  const statements = [...text.matchAll(STATIC)].map(([, type, clause = "", specifier = ""]) => ({
    specifier,
    typeOnly: type !== undefined,
    names: /\{([^}]*)\}/.exec(clause)?.[1]?.split(",").map(importedName).filter(Boolean) ?? [],
  }));
  const calls = [...text.matchAll(DYNAMIC)].map(([, specifier = ""]) => ({ specifier, typeOnly: false, names: [] }));
  return [...statements, ...calls];
}

function importedName(clause: string): string {
  return (
    clause
      .trim()
      .replace(/^type\s+/, "")
      .split(/\s+as\s+/)[0] ?? ""
  );
}

/** `@stitch/health/x` is of package `@stitch/health`, `yaml/y` of `yaml`, `node:net` and `./z.ts` of none. */
export function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith(".") || specifier.startsWith("node:")) return undefined;
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

export function nameOf(path: string): string {
  return basename(path);
}

function slashes(path: string): string {
  return path.split(sep).join("/");
}
