import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { expect, test } from "vitest";

const HERE = join(import.meta.dirname, "..");
/** Beside the sources, so that the example's imports resolve as a reader's would; git ignores it. */
const CACHE = join(HERE, "../../.cache");

test("the example of the README prints what the README says", async () => {
  const readme = await readFile(join(HERE, "README.md"), "utf8");
  const code = /^```ts\n(.*?)^```/ms.exec(readme)?.[1] ?? "";
  const printed = /^It prints\n\n```\n(.*?)^```/ms.exec(readme)?.[1] ?? "";
  await mkdir(CACHE, { recursive: true });
  const folder = await mkdtemp(join(CACHE, "readme-"));
  try {
    const file = join(folder, "example.ts");
    await writeFile(file, code);
    const { stdout } = await promisify(execFile)(process.execPath, [file], { timeout: 50_000 });
    expect(printed).toContain("peer-admin-down");
    expect(stdout).toBe(printed);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 60_000);
