import * as kernel from "./kernel.ts";
import * as network from "./network.ts";
import * as ownProcess from "./process.ts";

// `node main.ts SCENARIO`: runs one scenario in a process of its own and prints what it saw, for faults.test.ts.
const SCENARIOS: Readonly<Record<string, () => Promise<unknown>>> = { ...kernel, ...network, ...ownProcess } as never;
const run = SCENARIOS[process.argv[2] ?? ""];
if (run === undefined) throw new Error(`scenarios: ${Object.keys(SCENARIOS).join(", ")}`);
process.stdout.write(`${JSON.stringify(await run())}\n`, () => process.exit(0));
