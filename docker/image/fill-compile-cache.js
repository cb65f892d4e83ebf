// Fills NODE_COMPILE_CACHE while the image is built: every module that a role, the command, the health check or a thread
// loads, with its types stripped and its code compiled. Nothing is started.
import { readdirSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");
/** It runs when it is loaded. Threads' entry points refuse to, outside of a thread. */
const ACTIVE = /\/cli\/src\/main\.ts$/;

const sources = readdirSync(join(ROOT, "packages"), { recursive: true, encoding: "utf8" })
  .filter((path) => /^[^/]+\/src\/.*\.ts$/.test(path))
  .map((path) => join(ROOT, "packages", path))
  .filter((path) => !ACTIVE.test(path));
/** What a thread or a browser loads may refuse to run here; it has been compiled by then. */
const refused = [];
for (const path of sources) await import(path).catch((failure) => refused.push(`${path}: ${failure.message}`));
// What fastify checks and writes answers with comes with the first server.
const { boundedServer } = await import(join(ROOT, "packages/health/src/bounded-server.ts"));
await boundedServer({ body: 1, connections: 1 }).ready();
flushCompileCache();
process.stdout.write([`compile cache: ${sources.length} modules of ours`, ...refused].join("\n") + "\n");
process.exit(0);
