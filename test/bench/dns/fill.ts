import { readFileSync } from "node:fs";
import { saturate } from "./dnsperf.ts";
import { Client } from "./client.ts";
import type { Field } from "./field.ts";
import { SAMPLE } from "./paced.ts";

const WINDOW = 64;
/** Questions of ours on their way, so that nobody is asked faster than it answers. */
const AT_ONCE = 20;

/**
 * Puts the names of a file into every cache. Those whose answers will be compared go first, into all caches at the same
 * moment, so that their TTLs can be compared too.
 */
export async function fill(field: Field, queries: string): Promise<void> {
  process.stderr.write(`dns: filling caches\n`);
  await together(field, sampledNames(queries));
  const load = { queries, rcode: "NOERROR", window: WINDOW, workers: field.workers, seconds: 0 };
  for (const server of field.resolvers) {
    if (server.name !== "stitch" || field.ports.length === 0) await saturate(server, load);
    else await Promise.all(field.ports.map((from) => saturate(server, { ...load, from })));
  }
}

async function together(field: Field, names: readonly string[]): Promise<void> {
  const { ports } = field;
  const stitch = (ports.length > 0 ? ports : [0]).map((from) => Client.open(field.resolver("stitch").port, from));
  const clients = await Promise.all([...stitch, Client.open(field.resolver("unbound").port)]);
  for (let i = 0; i < names.length; i += AT_ONCE) {
    const some = names.slice(i, i + AT_ONCE);
    await Promise.all(some.flatMap((name) => clients.map((client) => client.ask(name))));
  }
  for (const client of clients) client.close();
}

/** As `paced` samples them: every so many-th, the first included. */
function sampledNames(queries: string): string[] {
  const lines = readFileSync(queries, "utf8").trimEnd().split("\n");
  return lines.filter((_, i) => i % SAMPLE === 0).map((line) => line.split(" ")[0] ?? "");
}
