import { parentPort, workerData } from "node:worker_threads";
import { milliseconds, SystemClock, type Clock, type Duration } from "@stitch/clock";
import { serveFirst } from "@stitch/linux-io";
import { createLogger, type Logger } from "../log.ts";
import { textOfFailure, type FromWorker, type ToWorker, type WorkerContract, type WorkerData } from "./protocol.ts";
import { WorkerRow } from "./table.ts";

/** How often a worker shows that its event loop turns, and copies its figures. */
const BEAT_INTERVAL: Duration = milliseconds(50);

/** What a worker gets to work with. */
export interface WorkerContext<C extends WorkerContract> {
  /** From 0. */
  readonly index: number;
  readonly workers: number;
  readonly site: string;
  readonly instance: string;
  readonly settings: C["settings"];
  readonly clock: Clock;
  readonly log: Logger;
  readonly row: WorkerRow<C["figure"]>;
  /** What is in `transfer` belongs to the main thread from then on. */
  readonly tell: (message: C["toMain"], transfer?: readonly ArrayBuffer[]) => void;
}

/** What a worker gives back once its sockets are open and it is warm. */
export interface WorkerParts<C extends WorkerContract> {
  readonly ready: C["ready"];
  /** Copies figures into the row; called at every beat. */
  readonly publish: () => void;
  /** What the main thread has to say. */
  readonly hear: (message: C["toWorker"]) => void;
  readonly close: () => Promise<void>;
}

/**
 * Runs one worker until the main thread closes it. For `worker.ts` files only. A failure to start is told to the main
 * thread; one that comes later ends this thread, and so the process.
 */
export async function runWorker<C extends WorkerContract>(
  start: (context: WorkerContext<C>) => Promise<WorkerParts<C>>,
): Promise<void> {
  const port = parentPort;
  if (port === null) throw new Error("this file is a worker: the role's main.ts starts it");
  const say = (message: FromWorker<C>, transfer: readonly ArrayBuffer[] = []): void =>
    port.postMessage(message, [...transfer]);
  const context = contextOf<C>((body, transfer) => say({ kind: "told", body }, transfer));
  let parts: WorkerParts<C>;
  try {
    parts = await start(context);
  } catch (failure) {
    say({ kind: "failed", failure: textOfFailure(failure) });
    return;
  }
  serveFirst();
  say({ kind: "ready", body: parts.ready });
  const heart = context.clock.every("worker-beat", BEAT_INTERVAL, () => {
    context.row.beat();
    parts.publish();
  });
  port.on("message", (message: ToWorker<C>) => {
    if (message.kind === "told") return parts.hear(message.body);
    heart.cancel();
    void parts.close().then(() => say({ kind: "closed" }));
  });
}

function contextOf<C extends WorkerContract>(tell: WorkerContext<C>["tell"]): WorkerContext<C> {
  const { index, workers, identity, layout, memory, settings } = workerData as WorkerData<C>;
  const log = createLogger(identity).child({ worker: index + 1 });
  const row = new WorkerRow<C["figure"]>(layout, memory, index);
  const { site, instance } = identity;
  return { index, workers, site, instance, settings, clock: new SystemClock(), log, row, tell };
}
