import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

import type { BfdStatus } from "@stitch/bfd";

import { eventually, ROUTER, SPEAKER, type Wire } from "../bgp/wire.ts";
import type { MonitorOptions, Order, Told } from "./monitor.ts";

export interface Timers {
  readonly interval: number;
  readonly multiplier: number;
}

type ChangeTold = Extract<Told, { kind: "change" }>;

/** Our monitor as a process of its own on the host's side of the wire, with one session to the router. */
export class Host {
  readonly changes: ChangeTold[] = [];
  session: BfdStatus | undefined;
  readonly #child: ChildProcess;
  readonly #exit: Promise<void>;

  constructor(wire: Wire, timers: Timers) {
    const options: MonitorOptions = { ...timers, address: ROUTER.address, localAddress: SPEAKER.address };
    const script = join(import.meta.dirname, "monitor.ts");
    this.#child = wire.start(wire.host, [process.execPath, script, JSON.stringify(options)]);
    this.#exit = new Promise((resolve) => void this.#child.once("exit", () => resolve()));
    this.#child.stderr?.pipe(process.stderr);
    if (this.#child.stdout === null) throw new Error("the monitor has no output");
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      const told = JSON.parse(line) as Told;
      if (told.kind === "change") this.changes.push(told);
      else this.session = told.sessions[0];
    });
  }

  order(order: Order): void {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  /** Up for the `ups`th time, and nothing pending. */
  up(ups = 1): Promise<BfdStatus> {
    return eventually(`our side is Up for the ${ups}. time`, 30_000, () => {
      const { session } = this;
      return session?.state === "Up" && session.ups >= ups && !session.polling ? session : undefined;
    });
  }

  /** The first end of an Up session from the `past`th change on. */
  end(past = 0): Promise<ChangeTold> {
    return eventually("our side has left Up", 30_000, () =>
      this.changes.slice(past).find(({ change }) => change.from === "Up"),
    );
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.order({ stop: true });
    await this.#exit;
  }

  /** The whole process stands still for so long (ms), as on a machine that is swapping or suspended. */
  async stall(time: number): Promise<void> {
    this.#child.kill("SIGSTOP");
    await pause(time);
    this.#child.kill("SIGCONT");
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exit;
  }
}
