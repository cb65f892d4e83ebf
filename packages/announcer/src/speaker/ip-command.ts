import type { Prefix } from "@stitch/bgp-speaker";
import { execa, ExecaError } from "execa";
import { parseTables, type KernelTables } from "./ip-output.ts";
import { linesFor, type Difference } from "./kernel-route.ts";

/** A routing socket answers in a millisecond; `ip` hangs only where the machine does. */
const TIMEOUT_MS = 2_000;
/** Characters of output: room for some thousand addresses. A full table under our protocol number must not fill memory. */
const MOST_OUTPUT = 1 << 20;

/** What the kernel speaker and its watchdog need of the machine. */
export interface RouteTable {
  /** One process for both tables of a family. Rejects with a sentence. */
  read(family: Prefix["family"]): Promise<KernelTables>;
  /** One process for the whole change. Rejects with a sentence when any line of it failed; the others are done. */
  change(difference: Difference): Promise<void>;
}

/** The kernel's tables by ip(8), for routes of one protocol number. */
export class IpCommand implements RouteTable {
  readonly #protocol: number;

  constructor(protocol: number) {
    this.#protocol = protocol;
  }

  async read(family: Prefix["family"]): Promise<KernelTables> {
    const lines = [`route show table main proto ${this.#protocol}`, "route show table local type local"];
    const output = await ip([family === "ipv4" ? "-4" : "-6", "-json"], lines);
    const tables = parseTables(output, family);
    if (tables === undefined) throw new Error("ip: printed something else than two routing tables");
    return tables;
  }

  async change(difference: Difference): Promise<void> {
    await ip(["-force"], linesFor(difference, this.#protocol));
  }
}

async function ip(options: readonly string[], lines: readonly string[]): Promise<string> {
  try {
    const { stdout } = await execa("ip", [...options, "-batch", "-"], {
      input: lines.join("\n"),
      timeout: TIMEOUT_MS,
      killSignal: "SIGKILL",
      maxBuffer: MOST_OUTPUT,
    });
    return stdout;
  } catch (failure) {
    throw new Error(sentence(failure), { cause: failure });
  }
}

function sentence(failure: unknown): string {
  if (!(failure instanceof ExecaError)) return `ip: ${String(failure)}`;
  if (failure.code === "ENOENT") return "ip is not installed (package iproute2)";
  if (failure.timedOut) return `ip: did not end within ${TIMEOUT_MS} ms`;
  const [first = ""] = String(failure.stderr ?? "").split("\n");
  return `ip: ${first === "" ? failure.shortMessage : first}`;
}
