import { isPeerName, peerNames } from "./catalogue.ts";
import { peerAvailability } from "./peer.ts";
import { proveRuns } from "./prove.ts";

/** `node test/peers/src/main.ts [NAME...]`: fetches the peers, all of them without a name, and shows that each runs. */
async function main(wanted: readonly string[]): Promise<number> {
  const unknown = wanted.filter((name) => !isPeerName(name));
  if (unknown.length > 0) {
    print(`no peer called ${unknown.join(", ")}; there are ${peerNames.join(", ")}`);
    return 2;
  }
  const names = wanted.length === 0 ? peerNames : wanted.filter(isPeerName);
  let failures = 0;
  for (const name of names) {
    const found = await peerAvailability(name, { progress: print });
    const line = found.ok ? await proveRuns(found.peer).catch(failure) : failure(new Error(found.reason));
    if (line.startsWith("cannot")) failures++;
    print(`${name.padEnd(10)} ${line}`);
  }
  return failures === 0 ? 0 : 1;
}

function failure(error: unknown): string {
  return `cannot be used: ${error instanceof Error ? error.message : String(error)}`;
}
function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exitCode = await main(process.argv.slice(2));
