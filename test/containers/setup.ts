import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { withLock } from "@stitch/peers";
import type { TestProject } from "vitest/node";
import { containerlab, CONTAINERLAB_VERSION, go } from "./containerlab.ts";
import { CACHE, startEngine } from "./engine.ts";
import { buildImages } from "./images.ts";

/** What the test files are handed: how to reach the engine that runs. */
export interface RunningEngine {
  readonly env: Readonly<Record<string, string>>;
  readonly pid: number;
}
declare module "vitest" {
  interface ProvidedContext {
    readonly engine: RunningEngine;
  }
}

const progress = (line: string): void => void process.stderr.write(`${line}\n`);

/** Builds every image, then starts the engine in which they run; the returned function ends it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  mkdirSync(CACHE, { recursive: true });
  const started = Promise.withResolvers<() => Promise<void>>();
  const finished = Promise.withResolvers<void>();
  // Two runs would share one folder of images.
  const locked = withLock(join(CACHE, "lock"), async () => {
    const engine = await imagesAndEngine();
    project.provide("engine", { env: engine.env, pid: engine.pid });
    started.resolve(async () => {
      await engine.down();
      finished.resolve();
      await locked;
    });
    await finished.promise;
  });
  locked.catch((error: unknown) => started.reject(error));
  return started.promise;
}

async function imagesAndEngine(): ReturnType<typeof startEngine> {
  const builder = await startEngine("machine");
  try {
    await clean(builder);
    // One waits for mirrors, the other for the processors.
    await Promise.all([buildImages(builder, progress), buildContainerlab()]);
    await builder.docker(["image", "prune", "--force", "--filter", "until=24h"]);
  } finally {
    await builder.down();
  }
  return startEngine("own");
}

/** Ahead of the lab's own tests, which try again and fail by themselves: the other tests do without. */
async function buildContainerlab(): Promise<void> {
  const compiler = await go();
  if (compiler === undefined) return;
  progress(`containers: containerlab ${CONTAINERLAB_VERSION} from source, minutes the first time`);
  await containerlab(compiler).catch((error: Error) => progress(`containers: no containerlab: ${error.message}`));
}

/** Containers, networks and volumes that a killed run left in the folder of images. */
async function clean({ docker }: Awaited<ReturnType<typeof startEngine>>): Promise<void> {
  const left = await docker(["ps", "--all", "--quiet"]);
  if (left !== "") await docker(["rm", "--force", "--volumes", ...left.split("\n")]);
  await docker(["network", "prune", "--force"]);
  await docker(["volume", "prune", "--force"]);
}
