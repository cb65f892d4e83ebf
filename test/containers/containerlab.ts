import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { CACHE } from "./engine.ts";

/** The last release whose Docker client speaks the API of Debian's engine (1.41) and that has been tried here. */
export const CONTAINERLAB_VERSION = "0.69.3";
const MODULE = `github.com/srl-labs/containerlab@v${CONTAINERLAB_VERSION}`;
const GO = ["go", "/usr/local/go/bin/go", "/usr/lib/go/bin/go"];
/** Some 300 modules, and a minute or three of compiling on two cores. */
const BUILD_LIMIT_MS = 900_000;

/** The Go command, if this machine has one. */
export async function go(): Promise<string | undefined> {
  for (const command of GO) if ((await execa(command, ["version"], { reject: false })).exitCode === 0) return command;
  return undefined;
}

/**
 * containerlab, built from source through Go's module proxy, once. `go install` refuses it (its go.mod has replace
 * lines), so the module is downloaded and copied, and built as the main module that it is.
 */
export async function containerlab(command: string): Promise<string> {
  const program = join(CACHE, `containerlab-${CONTAINERLAB_VERSION}`);
  if (existsSync(program)) return program;
  mkdirSync(CACHE, { recursive: true });
  const folder = join(CACHE, "containerlab-source");
  rmSync(folder, { recursive: true, force: true });
  const { stdout } = await execa(command, ["mod", "download", "-json", MODULE], {
    cwd: CACHE,
    timeout: BUILD_LIMIT_MS,
  });
  cpSync((JSON.parse(stdout) as { Dir: string }).Dir, folder, { recursive: true });
  await execa("chmod", ["-R", "u+w", folder]);
  if (!existsSync("/proc/modules")) withoutModules(folder);
  const flags = [
    "-trimpath",
    "-buildvcs=false", // the folder lies in this repository, but its version is not ours
    "-ldflags",
    `-s -w -X ${PACKAGE}.Version=${CONTAINERLAB_VERSION}`,
    "-o",
    `${program}.new`,
    ".",
  ];
  await execa(command, ["build", ...flags], { cwd: folder, env: { CGO_ENABLED: "0" }, timeout: BUILD_LIMIT_MS });
  renameSync(`${program}.new`, program);
  rmSync(folder, { recursive: true, force: true });
  return program;
}

const PACKAGE = "github.com/srl-labs/containerlab/cmd/version";

/** On a kernel that knows no modules /proc/modules is missing, and containerlab gives up. What is there, is built in. */
function withoutModules(folder: string): void {
  const file = join(folder, "utils/kernel_module.go");
  const source = readFileSync(file, "utf8");
  const opened = 'f, err := os.Open("/proc/modules")\n';
  if (!source.includes(opened)) throw new Error(`${MODULE} reads /proc/modules elsewhere than expected`);
  writeFileSync(file, source.replace(opened, `${opened}\tif os.IsNotExist(err) {\n\t\treturn true, nil\n\t}\n`));
}
