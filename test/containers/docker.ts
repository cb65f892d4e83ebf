import { peer } from "@stitch/peers";
import { execa } from "execa";
import type { RunningEngine } from "./setup.ts";

const COMMAND_LIMIT_MS = 90_000;

/** Runs the engine's client and answers what it printed; throws with what it complained of. */
export type Docker = (args: readonly string[]) => Promise<string>;

export function docker({ env }: RunningEngine): Docker {
  return async (args) => {
    const client = (await peer("docker")).program("docker");
    return (await execa(client, args, { env, stdin: "ignore", timeout: COMMAND_LIMIT_MS })).stdout;
  };
}

/** Debian's docker-compose 1.29. */
export type Compose = (...args: readonly string[]) => Promise<string>;

export interface Project {
  readonly name: string;
  readonly files: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
}

export function compose({ env }: RunningEngine, { name, files, variables }: Project): Compose {
  return async (...args) => {
    const program = await peer("compose");
    const argv = ["-p", name, ...files.flatMap((file) => ["-f", file]), ...args];
    const options = {
      env: { ...env, ...program.env, ...variables },
      stdin: "ignore",
      timeout: COMMAND_LIMIT_MS,
    } as const;
    // The script's first line names the machine's Python, which is what the unpacked modules are for.
    return (await execa("/usr/bin/python3", [program.program("docker-compose"), ...argv], options)).stdout;
  };
}
