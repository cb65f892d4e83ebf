import { spawn, type ChildProcess } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { eventually, newFolder } from "./stores.ts";

const SCRIPT = join(import.meta.dirname, "run-main.ts");

/** A collector in a process of its own, as it is run. */
export interface CollectorProcess {
  readonly process: ChildProcess;
  readonly health: string;
  readonly exit: Promise<number | null>;
  readonly output: () => string;
}

export interface SiteOptions {
  readonly listen: string;
  readonly store: string;
  readonly more?: string;
}

const running: CollectorProcess[] = [];

/** For afterEach: nothing that was started is left. */
export async function endAll(): Promise<void> {
  for (const { process: child, exit } of running.splice(0)) {
    if (child.exitCode === null) child.kill("SIGKILL");
    await exit;
  }
}

export async function startCollector({ listen, store, more = "" }: SiteOptions): Promise<CollectorProcess> {
  const port = await freePort();
  const site = join(await newFolder(), "site.yaml");
  await writeFile(
    site,
    `site: nyc\ninstance: nyc-1\nsyslog:\n  listen: ["${listen}"]\n  health: "127.0.0.1:${port}"\n  store: { path: "${store}" }\n${more}`,
  );
  const child = spawn(process.execPath, [SCRIPT, site], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const exit = new Promise<number | null>((resolve) => void child.once("close", resolve));
  const collector = { process: child, health: `http://127.0.0.1:${port}`, exit, output: () => output };
  running.push(collector);
  return collector;
}

/** Waits until the collector has warmed up and proved itself. */
export async function serving({ health, output }: CollectorProcess): Promise<void> {
  const isServing = async (): Promise<boolean> => (await fetch(`${health}/health`).catch(() => undefined))?.ok === true;
  await eventually(isServing, "serving").catch((failure: Error) => {
    throw new Error(`${failure.message}\n${output()}`);
  });
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => void server.close(resolve));
  return address !== null && typeof address === "object" ? address.port : 0;
}
