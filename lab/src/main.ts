import { parseArgs } from "node:util";
import { SystemClock } from "@stitch/clock";
import { deploy } from "./containerlab/deploy.ts";
import { DRILLS, drillsOf, runDrill } from "./drill/index.ts";
import type { Drill, DrillResult } from "./drill/drill.ts";
import type { Lab } from "./lab.ts";
import { recordRun } from "./measured.ts";
import { settled } from "./drill/settled.ts";
import { attach, LabUnavailable, layOut } from "./namespace/layout.ts";
import { endStanding, writeStanding } from "./namespace/standing.ts";
import { table } from "./table.ts";
import { isVariant, topologyFile, variant, VARIANTS, type Variant } from "./variant.ts";

const USAGE = `usage: npm run lab -- [all | DRILL... | up | down | list | exec NODE COMMAND...]
                      [--variant V | --sites N] [--json] [--repeat N] [--brief] [--containerlab] [--stand-in]

  all, DRILL   lays the topology out, runs the drills, tears it down (or uses the lab that stands)
  up           lays the topology out and leaves it standing; down ends it
  list         the drills
  exec         runs a command in a node of the standing lab: exec core vtysh -c 'show bgp summary'
  --variant    which topology: ${VARIANTS.join(", ")} (${VARIANTS[0]})
  --sites      how many sites: 2 is the variant anycast, 3 the variant three
  --brief      the short form of the drills that have one
`;

/** The router to look into first. */
const ROUTER: Readonly<Record<Variant, string>> = { anycast: "core", ospf: "core", ecmp: "tor", three: "core" };

const OK = 0;
const FAILED = 1;
const USED_WRONGLY = 2;
const clock = new SystemClock();

async function main(argv: readonly string[]): Promise<number> {
  if (argv[0] === "exec") return inNode(argv.slice(1));
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      json: { type: "boolean" },
      repeat: { type: "string" },
      brief: { type: "boolean" },
      "stand-in": { type: "boolean" },
      variant: { type: "string" },
      sites: { type: "string" },
      containerlab: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  const name = topologyNamed(values);
  if (name === undefined) return usage();
  const options = {
    name,
    standIn: values["stand-in"] === true,
    containerlab: values.containerlab === true,
    json: values.json === true,
    repetitions: Number(values.repeat ?? 3),
    brief: values.brief === true,
  };
  const [command = "all"] = positionals;
  if (values.help === true || !(options.repetitions > 0)) return usage();
  if (command === "list") return list();
  if (command === "up") return up(options);
  if (command === "down") return down();
  const here = drillsOf(name);
  const drills = command === "all" ? here : here.filter((drill) => positionals.includes(drill.name));
  const known = command === "all" || drills.length === positionals.length;
  return known ? run(drills, options) : usage();
}

/** Sites said in numbers; more than three have no topology. */
const OF_SITES: Readonly<Record<string, Variant>> = { 2: "anycast", 3: "three" };

/** Undefined where both or what is not there was asked for. */
function topologyNamed({ variant: named, sites }: { variant?: string; sites?: string }): Variant | undefined {
  if (sites !== undefined) return named === undefined ? OF_SITES[sites] : undefined;
  const name = named ?? VARIANTS[0];
  return isVariant(name) ? name : undefined;
}

interface RunOptions {
  readonly name: Variant;
  readonly standIn: boolean;
  /** containerlab deploys the topology, of images, on this machine's container engine. */
  readonly containerlab: boolean;
  readonly json: boolean;
  readonly repetitions: number;
  readonly brief: boolean;
}

async function run(drills: readonly Drill[], options: RunOptions): Promise<number> {
  const { name, standIn, repetitions, brief } = options;
  const standing = options.containerlab ? undefined : await attach(variant(name, { clock, standIn }));
  const lab = standing ?? (await fresh(options));
  if (standing === undefined) downOnSignals(lab);
  try {
    const results: DrillResult[] = [];
    for (const drill of drills) {
      const result = await runDrill(drill, { lab, clock, progress, repetitions, brief });
      results.push(result);
      if (!options.json) print(`\n${drill.name}: ${drill.intent}\n\n${report(result)}\n`);
    }
    // Of a stand-in, or of a short form, nobody wants the numbers.
    if (!standIn && !brief)
      recordRun({
        driver: lab.driver,
        variant: name,
        time: Temporal.Now.instant(),
        versions: lab.versions,
        drills: results,
      });
    if (options.json) print(JSON.stringify({ lab: name, driver: lab.driver, versions: lab.versions, drills: results }));
    return results.every(({ failures }) => failures.length === 0) ? OK : FAILED;
  } finally {
    if (standing === undefined) await lab.down();
    // A drill may have started a host's stitch anew.
    else writeStanding(topologyFile(name), standing.holders, standing.supervisors);
  }
}

function fresh({ name, containerlab, standIn }: RunOptions): Promise<Lab> {
  return containerlab
    ? deploy({ variant: name, clock, progress })
    : layOut(variant(name, { clock, progress, standIn }));
}

function report(result: DrillResult): string {
  const picture = result.picture === undefined ? [] : ["", ...result.picture, ""];
  return [table(result.rows), ...picture, verdict(result)].join("\n");
}

function verdict({ figures, failures }: DrillResult): string {
  const numbers = Object.entries(figures).map(([name, value]) => `${name} ${value}`);
  const lines = failures.length === 0 ? ["held"] : failures.map((failure) => `FAILED: ${failure}`);
  return [...(numbers.length === 0 ? [] : [numbers.join("  ")]), ...lines].join("\n");
}

async function up({ name, standIn }: RunOptions): Promise<number> {
  endStanding();
  const lab = await layOut(variant(name, { clock, progress, standIn, lasting: true }));
  writeStanding(topologyFile(name), lab.holders, lab.supervisors);
  progress("lab: waiting until every address is routed to its near site");
  await settled(lab, clock);
  print(
    `up. Try: npm run lab -- exec ${ROUTER[name]} vtysh -c 'show ip route'; npm run lab -- --variant ${name}; npm run lab -- down`,
  );
  return OK;
}

function down(): number {
  const ended = endStanding();
  print(ended === 0 ? "no lab stands" : `${ended} nodes ended`);
  return OK;
}

async function inNode([node = "", ...command]: readonly string[]): Promise<number> {
  if (command.length === 0) return usage();
  const standing = VARIANTS.map((name) => attach(variant(name, { clock })));
  const lab = (await Promise.all(standing)).find((each) => each !== undefined);
  if (lab === undefined) throw new LabUnavailable("no lab stands: npm run lab -- up");
  const result = await lab.exec(node, command, { mayFail: true });
  process.stderr.write(result.stderr === "" ? "" : `${result.stderr}\n`);
  print(result.stdout);
  return result.exitCode;
}

function list(): number {
  for (const { name, variants, intent } of DRILLS)
    print(`${name.padEnd(15)} ${variants.join(", ").padEnd(13)} ${intent}`);
  return OK;
}

function usage(): number {
  process.stderr.write(USAGE);
  return USED_WRONGLY;
}

/** Ctrl-C takes the lab down; a killed runner's nodes are ended by the kernel. */
function downOnSignals(lab: Lab): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      progress("lab: interrupted, taking it down");
      void lab.down().finally(() => process.exit(FAILED));
    });
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
function progress(line: string): void {
  process.stderr.write(`${line}\n`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  progress(error instanceof Error ? error.message : String(error));
  process.exitCode = FAILED;
}
