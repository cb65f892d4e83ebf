/**
 * `npm run bench -- udp|dns|slab|failover [--rounds N] [--json] [--raw DIR] [--matrix]`: measures side by side, in one run, and prints
 * what came of it with its spread. Exit code 1 when a goal was missed, 2 when it was asked for something that it does not know.
 * `--matrix`: failover runs the whole interop matrix first; without, it prints the last run's. For dns, parts of it: `--quick`,
 * `--only hit1,hit,hit1M,miss,nxdomain,mix`, `--workers 1|2`.
 */
import { parseArgs } from "node:util";
import { keepRaw, print, printJson, type Outcome } from "./outcome.ts";
import { benchDns, problemOf } from "./dns.ts";
import { benchFailover } from "./failover.ts";
import { benchSlab } from "./slab.ts";
import { benchUdp } from "./udp.ts";

type Bench = () => Promise<{ outcome: Outcome; raw: unknown }>;

function usage(problem: string): never {
  process.stderr.write(`${problem}\nusage: npm run bench -- udp|dns|slab|failover [--rounds N] [--json] [--raw DIR]
  failover: [--matrix]; dns: [--quick] [--only hit1,hit,hit1M,miss,nxdomain,mix] [--workers 1|2]\n`);
  process.exit(2);
}

function options() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        rounds: { type: "string" },
        json: { type: "boolean" },
        raw: { type: "string" },
        matrix: { type: "boolean" },
        quick: { type: "boolean" },
        only: { type: "string" },
        workers: { type: "string" },
      },
    });
  } catch (failure) {
    return usage((failure as Error).message);
  }
}

const { positionals, values } = options();
const asked = values.rounds === undefined ? undefined : Number(values.rounds);
if (asked !== undefined && !(Number.isInteger(asked) && asked >= 1 && asked <= 1_000))
  usage(`--rounds ${values.rounds}: a number from 1 to 1000`);
const choice = {
  rounds: asked,
  quick: values.quick === true,
  only: values.only?.split(","),
  workers: values.workers === undefined ? undefined : Number(values.workers),
};
const problem = problemOf(choice);
if (problem !== undefined) usage(problem);
const BENCHES: Readonly<Record<string, Bench>> = {
  udp: () => benchUdp(asked ?? 10),
  dns: () => benchDns(choice),
  slab: () => benchSlab(asked ?? 10),
  failover: () => benchFailover(asked ?? 5, values.matrix === true),
};
if (positionals.length === 0) usage("which bench?");
if (process.platform !== "linux") usage("the benches need Linux: CPU time from /proc, network namespaces");
let missed = 0;
for (const name of positionals) {
  const bench = BENCHES[name];
  if (bench === undefined) usage(`no bench is called ${name}`);
  const { outcome, raw } = await bench();
  if (values.raw !== undefined) keepRaw(values.raw, name, raw);
  if (values.json === true) printJson(outcome);
  else print(outcome);
  missed += outcome.missed.length;
}
process.exit(missed === 0 ? 0 : 1);
