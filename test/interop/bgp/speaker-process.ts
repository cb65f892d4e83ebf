import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { parsePrefix, type SessionEvent } from "@stitch/bgp-speaker";

import type { Agreement, Count, Order, Report, SpeakerOptions } from "./speaker.ts";
import { eventually, ROUTER, SPEAKER, type Wire } from "./wire.ts";

const WATCHED = parsePrefix("10.10.10.53/32") ?? { family: "ipv4", address: "10.10.10.53", length: 32 };

/** Our speaker as a process of its own on the host's side of the wire. */
export class Speaker {
  readonly events: SessionEvent[] = [];
  report: Report | undefined;
  /** What both OPENs came to, at the last time of asking. */
  agreed: Omit<Agreement, "kind"> | undefined;
  /** Route refresh messages that the peer had sent at the last `count`. */
  refreshes = 0;
  readonly #child: ChildProcess;
  readonly #exit: Promise<void>;

  constructor(wire: Wire, changes: Partial<SpeakerOptions> = {}) {
    const options: SpeakerOptions = {
      peer: { address: ROUTER.address, asn: ROUTER.asn },
      local: { asn: SPEAKER.asn, routerId: SPEAKER.routerId },
      watch: [WATCHED],
      ...changes,
    };
    const script = join(import.meta.dirname, "speaker.ts");
    this.#child = wire.start(wire.host, [process.execPath, "--expose-gc", script, JSON.stringify(options)]);
    this.#exit = new Promise((resolve) => void this.#child.once("exit", () => resolve()));
    this.#child.stderr?.pipe(process.stderr);
    if (this.#child.stdout === null) throw new Error("the speaker has no output");
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      const said = JSON.parse(line) as SessionEvent | Report | Count | Agreement;
      if (said.kind === "report") this.report = said;
      else if (said.kind === "agreement") this.agreed = { holdTime: said.holdTime, families: said.families };
      else if (said.kind === "count") this.refreshes = said.refreshes;
      else this.events.push(said);
    });
  }

  order(order: Order): void {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  async stop(text: string): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.order({ stop: text });
    await this.#exit;
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exit;
  }

  /** SIGSTOP: nothing runs any more, and the kernel keeps the connection. */
  freeze(): void {
    this.#child.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child.kill("SIGCONT");
  }

  find<K extends SessionEvent["kind"]>(
    kind: K,
    suits: (event: Extract<SessionEvent, { kind: K }>) => boolean,
  ): Extract<SessionEvent, { kind: K }> | undefined {
    return this.events.find(
      (event): event is Extract<SessionEvent, { kind: K }> =>
        event.kind === kind && suits(event as Extract<SessionEvent, { kind: K }>),
    );
  }

  established(deadline = 30_000): Promise<unknown> {
    return eventually("our side is Established", deadline, () =>
      this.find("state", (event) => event.to === "Established"),
    );
  }

  /** Why the session changed state, in order. */
  get reasons(): string[] {
    return this.events.flatMap((event) => (event.kind === "state" ? [event.reason] : []));
  }

  get updates(): number {
    return this.events.filter((event) => event.kind === "update-sent").length;
  }
}
