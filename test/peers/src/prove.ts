import { execa } from "execa";
import { inPrivateEtc } from "./private-etc.ts";
import { type Peer } from "./peer.ts";
import { withoutClockAccess } from "./time-daemon.ts";

const TIMEOUT_MS = 20_000;
const TIME_DAEMONS: ReadonlySet<string> = new Set(["chrony", "ntpsec"]);

/** Starts the peer's program out of the unpacked tree and answers the version it prints about itself. */
export async function proveRuns(peer: Peer): Promise<string> {
  const { program, args, expect } = peer.facts.prove;
  const direct: [string, ...string[]] = [peer.program(program), ...args];
  const [file = "", ...rest] = TIME_DAEMONS.has(peer.name) ? proveTimeDaemon(direct) : command(peer, direct);
  const result = await execa(file, rest, { env: peer.env, all: true, reject: false, timeout: TIMEOUT_MS });
  const version = expect.exec(result.all)?.[1];
  if (version === undefined)
    throw new Error(`${peer.name}: no version in the answer of ${direct.join(" ")}: ${result.all}`);
  return version;
}

function proveTimeDaemon(argv: readonly [string, ...string[]]): string[] {
  return withoutClockAccess(argv[0].endsWith("chronyd") ? [argv[0], "-x", ...argv.slice(1)] : argv);
}

function command(peer: Peer, argv: readonly string[]): string[] {
  return peer.facts.overUsr && process.getuid?.() === 0 ? inPrivateEtc(argv, { peers: [peer] }) : [...argv];
}
