import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { seconds, SystemClock } from "@stitch/clock";
import { ConfigError } from "@stitch/config";
import { EXIT } from "@stitch/health";
import { check } from "./command/check.ts";
import { logs } from "./command/logs.ts";
import { drain, explain, status, undrain, watch, type OperateContext } from "./command/operate.ts";
import { explainName, isDomainName } from "./command/explain-name.ts";
import { reload } from "./command/reload.ts";
import { replayJournal } from "./command/replay.ts";
import { routerConfig } from "./command/router-config.ts";
import { run } from "./command/run.ts";
import { tryOut } from "./command/try.ts";
import { up } from "./command/up.ts";
import { VERSION } from "./program.ts";
import { loadChecked, siteFile } from "./site.ts";
import { Output } from "./supervisor/output.ts";
import { CommandError, USAGE, UsageError } from "./usage.ts";

const OPTIONS = {
  config: { type: "string", short: "c" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
  version: { type: "boolean", default: false },
  forward: { type: "string" },
  for: { type: "string" },
  reason: { type: "string", default: "" },
  force: { type: "boolean", default: false },
  follow: { type: "boolean", short: "f", default: false },
  since: { type: "string" },
  until: { type: "string" },
  sender: { type: "string" },
  host: { type: "string" },
  severity: { type: "string" },
  vendor: { type: "string" },
  peer: { type: "string" },
  "dry-run": { type: "boolean", default: false },
} as const satisfies ParseArgsOptionsConfig;

/** Options that a command takes besides -c, --json and -h. */
const TAKES: Readonly<Record<string, readonly (keyof typeof OPTIONS)[]>> = {
  up: ["forward"],
  run: ["dry-run"],
  check: [],
  try: [],
  status: ["dry-run"],
  watch: ["dry-run"],
  explain: ["dry-run"],
  drain: ["for", "reason", "force"],
  undrain: ["reason"],
  logs: ["follow", "since", "until", "sender", "host", "severity"],
  reload: [],
  replay: [],
  "router-config": ["vendor", "peer"],
};

type Values = ReturnType<typeof parse>["values"];

function parse(argv: readonly string[]) {
  try {
    const parsed = parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true, tokens: true });
    // In a container the site is where the image says: nobody types its path at three in the morning.
    const named = process.env["STITCH_SITE"];
    if (named !== undefined && named !== "") parsed.values.config ??= named;
    return parsed;
  } catch (failure) {
    throw new UsageError(misuse(failure as NodeJS.ErrnoException));
  }
}

/** What node:util says of a wrong option, without its advice to programmers. */
function misuse({ code, message }: NodeJS.ErrnoException): string {
  const option = /'(-[^ ',]*)/.exec(message)?.[1] ?? "an option";
  if (code === "ERR_PARSE_ARGS_UNKNOWN_OPTION") return `no such option: ${option}; see stitch --help`;
  if (message.includes("argument missing") || message.includes("argument is ambiguous"))
    return `${option} needs a value; see stitch --help`;
  return `${message}; see stitch --help`;
}

/** Refuses an option that the command would silently ignore. */
function requireFitting(command: string, tokens: ReturnType<typeof parse>["tokens"]): void {
  const takes = TAKES[command];
  if (takes === undefined) throw new UsageError(`no such command: ${command}; see stitch --help`);
  for (const token of tokens) {
    if (token.kind !== "option" || ["config", "json", "help"].includes(token.name)) continue;
    if (!takes.some((name) => name === token.name))
      throw new UsageError(`stitch ${command} does not take ${token.rawName}`);
  }
}

async function dispatch(argv: readonly string[]): Promise<number> {
  const { values, positionals, tokens } = parse(argv);
  const [command, ...words] = positionals;
  if (values.version) {
    print(`stitch ${VERSION}`);
    return EXIT.stopped;
  }
  if (values.help || command === undefined || command === "help") {
    print(USAGE);
    return values.help || command === "help" ? EXIT.stopped : EXIT.unusable;
  }
  requireFitting(command, tokens);
  return perform(command, words, values);
}

async function perform(command: string, words: readonly string[], values: Values): Promise<number> {
  const { json } = values;
  const [first] = words;
  if (command === "up") {
    requireWords(command, words, 0);
    return supervise(values);
  }
  const file = siteFile(values.config, process.env, command === "run" || command === "check");
  const dryRun = values["dry-run"];
  const context: OperateContext = { file, json, print, dryRun };
  switch (command) {
    case "run":
      return run(oneWord(command, words, "a role: dns, syslog, ntp or announcer"), loadChecked(file), dryRun);
    case "check":
      requireWords(command, words, 0);
      return check(context);
    case "try":
      requireWords(command, words, 0);
      return tryOut(context);
    case "status":
      requireWords(command, words, 0);
      return status(context);
    case "watch":
      requireWords(command, words, 0);
      return watch(context);
    case "explain":
      requireWords(command, words, 1);
      if (first !== undefined && isDomainName(first)) return explainName(context, first);
      return explain(context, first ?? "all");
    case "drain":
      return drain(context, oneWord(command, words, "a VIP, a service or all"), {
        reason: values.reason,
        forced: values.force,
        for: values.for,
      });
    case "undrain":
      return undrain(context, oneWord(command, words, "a VIP, a service or all"), values.reason);
    case "reload":
      requireWords(command, words, 0);
      return reload(context);
    case "replay":
      return replayJournal(context, oneWord(command, words, "the path of a journal"));
    case "router-config":
      requireWords(command, words, 0);
      return routerConfig(context, { vendor: values.vendor, peer: values.peer });
    case "logs":
      return logs(context, { ...values, text: words.join(" ") });
    default:
      throw new UsageError(`no such command: ${command}; see stitch --help`);
  }
}

/** A site outlives whoever reads its output, and does not wait for them at its end. */
async function supervise({ config, forward, json }: Values): Promise<number> {
  process.stdout.off("error", leaveWithReader);
  const output = new Output(process.stdout);
  const code = await up({ file: config, forward, json, env: process.env, print: (text) => output.print(text) });
  await output.flushed(new SystemClock(), seconds(1));
  process.exit(code);
}

function oneWord(command: string, words: readonly string[], what: string): string {
  const [word] = words;
  if (word === undefined) throw new UsageError(`stitch ${command} needs ${what}`);
  requireWords(command, words, 1);
  return word;
}

function requireWords(command: string, words: readonly string[], most: number): void {
  const extra = words[most];
  if (extra !== undefined) throw new UsageError(`stitch ${command} does not know what to do with "${extra}"`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** What went wrong, as a person needs it; a stack only for what is our own mistake. */
function report(failure: unknown): number {
  if (failure instanceof ConfigError || failure instanceof UsageError) {
    process.stderr.write(`${failure.message}\n`);
    return EXIT.unusable;
  }
  if (failure instanceof CommandError) {
    process.stderr.write(`stitch: ${failure.message}\n`);
    return EXIT.failed;
  }
  process.stderr.write(`stitch: ${failure instanceof Error ? (failure.stack ?? failure.message) : String(failure)}\n`);
  return EXIT.failed;
}

/** `stitch logs | head` closes the pipe early: that is the reader's right, not an error. */
function leaveWithReader(failure: NodeJS.ErrnoException): void {
  if (failure.code === "EPIPE") process.exit(EXIT.stopped);
}

process.stdout.on("error", leaveWithReader);
const code = await dispatch(process.argv.slice(2)).catch(report);
// A pipe takes output at its reader's pace: the exit waits for the last of it.
process.stdout.write("", () => process.exit(code));
