import { elapsed, type Clock } from "@stitch/clock";
import type { Logger } from "@stitch/health";
import { formatEndpoint } from "@stitch/linux-io";
import type { Served } from "../served.ts";
import type { DnsWorkers, HotReport } from "../worker-contract.ts";
import type { Taken } from "./hot-cache.ts";
import { MOST_HOT_ANSWERS, MOST_HOT_BYTES } from "./parts.ts";
import { pull, type Pulled } from "./puller.ts";
import { Round } from "./round.ts";

export interface WarmStartOptions {
  readonly workers: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly tell: (message: DnsWorkers["toWorker"]) => void;
}

/**
 * Gives siblings what the workers' clients come back for, and takes over theirs at the start. Normal: the workers are ready
 * with what their own files held, a sibling is asked, and every worker adds what it has not. Hard: all siblings are down, or
 * one of them accepts and says nothing. Two seconds later, and with a line in the log, the site serves with what it has.
 */
export class WarmStart {
  readonly #options: WarmStartOptions;
  readonly #giving: Round<Uint8Array>;
  readonly #taking: Round<Taken>;
  readonly #stop = new AbortController();

  constructor(options: WarmStartOptions) {
    this.#options = options;
    this.#giving = new Round(options.workers);
    this.#taking = new Round(options.workers);
  }

  /** The workers' parts, which together keep within the bounds. */
  gather(): Promise<readonly Uint8Array[]> {
    const { tell, workers } = this.#options;
    const bounds = {
      bytes: Math.floor(MOST_HOT_BYTES / workers),
      answers: Math.floor(MOST_HOT_ANSWERS / workers),
    };
    return this.#giving.ask((id) => tell({ kind: "give-hot", id, bounds }));
  }

  /** Never rejects: a start does without. */
  async take({ dns: { warmFrom }, siblingSecret: secret }: Served): Promise<void> {
    const { clock, log } = this.#options;
    const { siblings } = warmFrom;
    if (siblings.length === 0 || secret === undefined) return;
    try {
      const found = await pull({ siblings, secret, clock, stop: this.#stop.signal });
      if ("sibling" in found) return await this.#hand(found);
      log.warn(`no sibling gave its answers (${found.join(", ")}): starting with what there is`);
    } catch (failure) {
      log.warn({ err: failure }, "siblings could not be asked: starting with what there is");
    }
  }

  /** What one worker says. */
  hear(message: HotReport): void {
    if (message.kind === "gave-hot") this.#giving.answered(message.id, message.part);
    else this.#taking.answered(message.id, message.taken);
  }

  /** Ends a pull that is under way. */
  close(): void {
    this.#stop.abort();
  }

  async #hand({ sibling, bytes, askedAt }: Pulled): Promise<void> {
    const { clock, log, tell } = this.#options;
    const body = new SharedArrayBuffer(bytes.length); // every worker reads the same
    new Uint8Array(body).set(bytes);
    const all = await this.#taking.ask((id) => {
      tell({ kind: "take-hot", id, body, age: elapsed(askedAt, clock.now()) });
    });
    const from = formatEndpoint(sibling);
    const fault = all.find((each) => each.fault !== undefined)?.fault;
    if (fault !== undefined) log.warn(`${from}: not all of what this sibling gave is used: ${fault}`);
    const sum = (of: (each: Taken) => number): number => all.reduce((total, each) => total + of(each), 0);
    const [taken, dropped] = [sum((each) => each.taken), sum((each) => each.dropped)];
    log.info({ sibling: from, taken, dropped }, "warm start from a sibling");
  }
}
