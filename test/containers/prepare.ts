/**
 * `node test/containers/prepare.ts`: what the container tests need besides themselves, images and containerlab, made once and kept in
 * `.cache/containers`. The tests do so too; ahead of them it can run beside something else, which it lets go first.
 */
import { mkdirSync, rmSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { join } from "node:path";
import { withLock } from "@stitch/peers";
import { containerlab, CONTAINERLAB_VERSION, go } from "./containerlab.ts";
import { CACHE, type Engine, SCRATCH, startEngine } from "./engine.ts";
import { buildImages } from "./images.ts";
import { type Progress, timed } from "./timed.ts";

/** One run at a time: there is one folder of images. */
export function alone<T>(work: () => Promise<T>): Promise<T> {
  mkdirSync(CACHE, { recursive: true });
  return withLock(join(CACHE, "lock"), work);
}

/** Images and containerlab; a second time it only looks whether anything has changed. */
export async function prepare(progress: Progress): Promise<void> {
  rmSync(SCRATCH, { recursive: true, force: true });
  mkdirSync(SCRATCH, { recursive: true });
  // One waits for mirrors, the other for the processors.
  await Promise.all([images(progress), buildContainerlab(progress)]);
}

async function images(progress: Progress): Promise<void> {
  const builder = await timed(progress, "an engine to build with", () => startEngine("machine"));
  try {
    await clean(builder);
    await timed(progress, "all images", () => buildImages(builder, progress));
    for (const what of ["image", "builder"]) await builder.docker([what, "prune", "--force", "--filter", "until=24h"]);
  } finally {
    await builder.down();
  }
}

/** Its failure is the lab's own tests', which try again: the other tests do without. */
async function buildContainerlab(progress: Progress): Promise<void> {
  const compiler = await go();
  if (compiler === undefined) return;
  const work = (): Promise<unknown> => containerlab(compiler);
  await timed(progress, `containerlab ${CONTAINERLAB_VERSION} from source`, work).catch((error: Error) =>
    progress(`containers: no containerlab: ${error.message}`),
  );
}

/** Containers, networks and volumes that a killed run left in the folder of images. */
async function clean({ docker }: Engine): Promise<void> {
  const left = await docker(["ps", "--all", "--quiet"]);
  if (left !== "") await docker(["rm", "--force", "--volumes", ...left.split("\n")]);
  await docker(["network", "prune", "--force"]);
  await docker(["volume", "prune", "--force"]);
}

if (process.argv[1] === import.meta.filename) {
  setPriority(constants.priority.PRIORITY_LOW);
  await alone(() => prepare((line) => void process.stdout.write(`${line}\n`)));
}
