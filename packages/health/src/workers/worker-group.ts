import { giveWay } from "@stitch/linux-io";
import type { Logger } from "../log.ts";
import type { ServiceContext } from "../service.ts";
import { HeartWatch } from "./heart-watch.ts";
import { registerWorkerMetrics } from "../metrics.ts";
import type { WorkerContract } from "./protocol.ts";
import { WorkerTable, type WorkerLayout } from "./table.ts";
import { WorkerThread } from "./worker-thread.ts";

export interface WorkerGroupOptions<C extends WorkerContract> {
  /** The role's `worker.ts`. */
  readonly module: URL;
  readonly workers: number;
  readonly layout: WorkerLayout<C["reason"], C["figure"]>;
  readonly settings: C["settings"];
  readonly context: Pick<ServiceContext, "identity" | "clock" | "health" | "registry" | "fail">;
  readonly onMessage: (message: C["toMain"], index: number) => void;
}

/** How many of `wanted` this machine can have: several sockets on one address, the load dealt out fairly, are Linux's. */
export function workersHere(wanted: number, log: Logger): number {
  if (wanted === 1 || process.platform === "linux") return wanted;
  log.warn(`workers: ${wanted} takes effect on Linux only; one works now`);
  return 1;
}

/**
 * The threads that serve, while the main thread keeps health, lease, metrics and signals: a flood of datagrams delays no
 * renewal, and a thread that hangs cannot hide it. One worker or many is the same code.
 *
 * Normal: every worker opens its sockets, warms up and says that it is ready; from then on it counts into its row of the
 * table, and nothing is sent between threads per datagram. Hard: one worker hangs; its heart stops, and the verdict is
 * the worst worker's. Where a worker has no core of its own, this thread gives way to it. One that ends takes the process with it: half a group would look alive from outside.
 */
export class WorkerGroup<C extends WorkerContract> {
  readonly table: WorkerTable<C["reason"], C["figure"]>;
  readonly #threads: readonly WorkerThread<C>[];
  #ready: readonly C["ready"][] = [];
  #watch: HeartWatch | undefined;

  /** Resolves when every worker is ready; rejects with what kept one from it, and leaves none behind. */
  static async open<C extends WorkerContract>(options: WorkerGroupOptions<C>): Promise<WorkerGroup<C>> {
    const group = new WorkerGroup(options);
    const { clock, health, registry, fail } = options.context;
    const started = await Promise.allSettled(group.#threads.map(({ ready }) => ready));
    const failed = started.find((each) => each.status === "rejected");
    if (failed !== undefined) {
      await group.close();
      throw failed.reason;
    }
    group.#ready = started.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    const signs = (): readonly number[] => group.table.rows.map((row) => row.beats + row.total);
    group.#watch = new HeartWatch({ clock, health, signs, onGivenUp: fail });
    registerWorkerMetrics(registry, group.table);
    giveWay();
    return group;
  }

  private constructor({ module, workers, layout, settings, context, onMessage }: WorkerGroupOptions<C>) {
    this.table = new WorkerTable(layout, workers);
    const { memory } = this.table;
    const { clock, fail, identity } = context;
    this.#threads = Array.from({ length: workers }, (_, index) => {
      const data = { index, workers, identity, layout, memory, settings };
      return new WorkerThread({ module, data, clock, onMessage, onEnded: fail });
    });
  }

  /** What each worker said when it was ready. */
  get ready(): readonly C["ready"][] {
    return this.#ready;
  }

  /** To every worker; now and then, never per datagram. */
  tell(message: C["toWorker"]): void {
    for (const thread of this.#threads) thread.tell(message);
  }

  /** Lets every worker close its sockets; one that hangs is ended. */
  async close(): Promise<void> {
    this.#watch?.stop();
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }
}
