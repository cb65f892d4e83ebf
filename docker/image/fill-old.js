// Fills NODE_COMPILE_CACHE while the image is built: every module that a role, the command or the health check loads, with
// its types stripped and its code compiled. Nothing is started; workers are threads' entry points, so a thread loads them.
import { readdirSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");
/** They run when they are loaded: the command's main, and the threads. */
const ACTIVE = /\/(cli\/src\/main|worker)\.ts$/;

const sources = readdirSync(join(ROOT, "packages"), { recursive: true, encoding: "utf8" })
  .filter((path) => /^[^/]+\/src\/.*\.ts$/.test(path))
  .map((path) => join(ROOT, "packages", path))
  .filter((path) => !ACTIVE.test(path));
/** What a thread or a browser loads may refuse to run here; it has been compiled by then. */
const refused = [];
for (const path of sources) await import(path).catch((failure) => refused.push(`${path}: ${failure.message}`));
flushCompileCache();
process.stdout.write([`compile cache: ${sources.length} modules of ours`, ...refused].join("\n") + "\n");
process.exit(0);
