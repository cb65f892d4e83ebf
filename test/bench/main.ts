/**
 * `npm run bench -- udp|dns|slab [--rounds N] [--json] [--raw DIR]`: measures side by side, in one run, and prints ratios with
 * their spread. Exit code 1 when a goal was missed, 2 when it was asked for something that it does not know.
 */
import { parseArgs } from "node:util";
import { keepRaw, print, printJson, type Outcome } from "./outcome.ts";
import { benchDns } from "./dns.ts";
import { benchSlab } from "./slab.ts";
import { benchUdp } from "./udp.ts";

const BENCHES: Readonly<Record<string, (rounds: number) => Promise<{ outcome: Outcome; raw: unknown }>>> = {
  udp: benchUdp,
  dns: benchDns,
  slab: benchSlab,
};
const ROUNDS = 10;

function usage(problem: string): never {
  const names = Object.keys(BENCHES).join("|");
  process.stderr.write(`${problem}\nusage: npm run bench -- ${names} [--rounds N] [--json] [--raw DIR]\n`);
  process.exit(2);
}

function options() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { rounds: { type: "string" }, json: { type: "boolean" }, raw: { type: "string" } },
    });
  } catch (failure) {
    return usage((failure as Error).message);
  }
}

const { positionals, values } = options();
const rounds = Number(values.rounds ?? ROUNDS);
if (!Number.isInteger(rounds) || rounds < 1 || rounds > 1_000)
  usage(`--rounds ${values.rounds}: a number from 1 to 1000`);
if (positionals.length === 0) usage("which bench?");
if (process.platform !== "linux") usage("the benches need Linux: they read CPU time from /proc");
let missed = 0;
for (const name of positionals) {
  const bench = BENCHES[name];
  if (bench === undefined) usage(`no bench is called ${name}`);
  const { outcome, raw } = await bench(rounds);
  if (values.raw !== undefined) keepRaw(values.raw, name, raw);
  if (values.json === true) printJson(outcome);
  else print(outcome);
  missed += outcome.missed.length;
}
process.exit(missed === 0 ? 0 : 1);
