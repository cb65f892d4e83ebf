import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { inPrivateEtc, type Peer } from "@stitch/peers";
import { execa } from "execa";
import { eventually, transcript, type Wire } from "./wire.ts";

export interface FrrDaemons {
  readonly children: ReadonlyMap<string, ChildProcess>;
  /** All that they have written. */
  log(): string;
  vtysh(...commands: readonly string[]): Promise<string>;
  /** Loads a file of commands, or only reads it (a dry run), and answers all that vtysh says of it. */
  load(file: string, how?: "dry run"): Promise<string>;
}

/** Where a router runs and keeps its files: a wire, or a second router beside one. */
export type RouterPlace = Pick<Wire, "router" | "directory" | "file" | "start">;

const WITHIN_MS = 20_000;

/**
 * zebra, and beside it the daemons that have a configuration, in the router's namespace. Resolves once vtysh answers. `by`:
 * a command that each of them is started by, such as chrt(1).
 */
export async function startFrrDaemons(
  found: Peer,
  wire: RouterPlace,
  configs: Readonly<Partial<Record<"bfdd" | "bgpd", string>>>,
  by: readonly string[] = [],
): Promise<FrrDaemons> {
  const { directory } = wire;
  const files = { zebra: "hostname router\n", vtysh: "", ...configs };
  for (const [name, config] of Object.entries(files)) await writeFile(wire.file(`${name}.conf`), config);
  const sockets = ["--vty_socket", directory, "-z", wire.file("zserv.api"), "-P", "0", "--log", "stdout"];
  const children = new Map<string, ChildProcess>();
  const outputs: (() => string)[] = [];
  const start = (daemon: string, ...more: readonly string[]): void => {
    const own = ["-f", wire.file(`${daemon}.conf`), "-i", wire.file(`${daemon}.pid`), ...more];
    const argv = inPrivateEtc([found.program(daemon), ...own, ...sockets], { peers: [found] });
    const child = wire.start(wire.router, [...by, ...argv], found.env);
    children.set(daemon, child);
    outputs.push(transcript(child));
  };
  // bgpd that finds no zebra tries again ten seconds later; until then it believes no next hop and has no identifier.
  // A daemon that is started again after its death finds the zebra that it had.
  if (!(await listens(wire.file("zserv.api")))) {
    await rm(wire.file("zserv.api"), { force: true });
    start("zebra");
    await eventually("zebra listens", WITHIN_MS, async () => (await listens(wire.file("zserv.api"))) || undefined);
  }
  for (const daemon of Object.keys(configs))
    start(daemon, ...(daemon === "bfdd" ? ["--bfdctl", wire.file("bfdd.sock")] : []));
  const call = (words: readonly string[]): Promise<{ stdout: string; all: string }> => {
    const argv = [found.program("vtysh"), "--vty_socket", directory, "--config_dir", directory, ...words];
    const [file = "", ...args] = wire.router.enter(inPrivateEtc(argv, { peers: [found] }));
    return execa(file, args, { env: found.env, all: true });
  };
  const vtysh = async (...commands: readonly string[]): Promise<string> =>
    (await call(commands.flatMap((command) => ["-c", command]))).stdout;
  for (const daemon of Object.keys(configs)) {
    const command = daemon === "bfdd" ? "show bfd peers" : "show bgp summary";
    await eventually(`${daemon} answers`, WITHIN_MS, () => there(vtysh(command)));
  }
  return {
    children,
    log: () => outputs.map((read) => read()).join("\n"),
    vtysh,
    load: async (file, how) => (await call([...(how === undefined ? [] : ["--dryrun"]), "-f", file])).all,
  };
}

async function listens(path: string): Promise<boolean> {
  const socket = connect(path);
  return once(socket, "connect")
    .then(
      () => true,
      () => false,
    )
    .finally(() => socket.destroy());
}

function there(asked: Promise<unknown>): Promise<true | undefined> {
  return asked.then(
    () => true,
    () => undefined,
  );
}
