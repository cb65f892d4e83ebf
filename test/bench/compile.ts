import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";

const FOLDER = join(import.meta.dirname, "..", "..", ".cache", "bench");

/** Compiles a C program of this folder and returns its path. */
export async function compile(source: string, name: string): Promise<string> {
  mkdirSync(FOLDER, { recursive: true });
  const program = join(FOLDER, name);
  await execa("cc", ["-O2", "-Wall", "-Wextra", "-o", program, join(import.meta.dirname, source)]);
  return program;
}

export async function compilerVersion(): Promise<string> {
  const { stdout } = await execa("cc", ["--version"]);
  return stdout.split("\n")[0] ?? "";
}
