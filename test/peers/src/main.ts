import { isPeerName, type PeerName, peerNames } from "./catalogue.ts";
import { peerAvailability } from "./peer.ts";
import { proveRuns } from "./prove.ts";

const AT_ONCE = 4;

/** `node test/peers/src/main.ts [NAME...]`: fetches the peers, all of them without a name, and shows that each runs. */
async function main(wanted: readonly string[]): Promise<number> {
  const unknown = wanted.filter((name) => !isPeerName(name));
  if (unknown.length > 0) {
    print(`no peer called ${unknown.join(", ")}; there are ${peerNames.join(", ")}`);
    return 2;
  }
  const names = wanted.length === 0 ? peerNames : wanted.filter(isPeerName);
  const [first, ...others] = names;
  // The first refreshes apt's lists where they are old; after that several may wait for the mirror at once.
  const runs = first === undefined ? [] : [await ready(first)];
  const worker = async (): Promise<void> => {
    for (let name = others.shift(); name !== undefined; name = others.shift()) runs.push(await ready(name));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return runs.every(Boolean) ? 0 : 1;
}

/** Fetches one, starts it, and prints the version that it gives itself, or why it cannot be used. */
async function ready(name: PeerName): Promise<boolean> {
  const found = await peerAvailability(name, { progress: print });
  const line = found.ok ? await proveRuns(found.peer).catch(failure) : failure(new Error(found.reason));
  print(`${name.padEnd(10)} ${line}`);
  return !line.startsWith("cannot");
}

function failure(error: unknown): string {
  return `cannot be used: ${error instanceof Error ? error.message : String(error)}`;
}
function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exitCode = await main(process.argv.slice(2));
