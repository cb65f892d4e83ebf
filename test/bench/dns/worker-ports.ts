import { Client } from "./client.ts";

const FIRST_PORT = 40_000;
const MOST_PORTS = 500;

/**
 * A client's port for each worker: the kernel deals out clients by address and port, and workers share no cache, so each
 * has to be filled. `_explain.NAME TXT` tells which worker answers.
 */
export async function workerPorts(port: number, workers: number): Promise<readonly number[]> {
  const found = new Map<string, number>();
  for (let from = FIRST_PORT; found.size < workers; from += 1) {
    if (from > FIRST_PORT + MOST_PORTS) throw new Error(`only ${found.size} of ${workers} workers answered`);
    const worker = await workerBehind(port, from);
    if (worker !== undefined && !found.has(worker)) found.set(worker, from);
  }
  return [...found.values()];
}

/** Undefined when the port is somebody else's. */
async function workerBehind(port: number, from: number): Promise<string | undefined> {
  const client = await Client.open(port, from).catch(() => undefined);
  const answer = await client?.ask("_explain.bench.test", "TXT");
  client?.close();
  const lines = (answer?.answers ?? []).flatMap((record) =>
    record.type === "TXT" ? [record.data].flat().map(String) : [],
  );
  return /worker \d+ of \d+/.exec(lines.join(" "))?.[0];
}
