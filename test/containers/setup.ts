import type { TestProject } from "vitest/node";
import { startEngine } from "./engine.ts";
import { alone, prepare } from "./prepare.ts";
import { timed } from "./timed.ts";

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
  const started = Promise.withResolvers<() => Promise<void>>();
  const finished = Promise.withResolvers<void>();
  const locked = alone(async () => {
    await timed(progress, "everything prepared", () => prepare(progress));
    const engine = await startEngine("own");
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
