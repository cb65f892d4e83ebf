import { Worker } from "node:worker_threads";
import { formatDuration, seconds, type Clock, type Duration } from "@stitch/clock";
import { failureOfText, type FromWorker, type ToWorker, type WorkerContract, type WorkerData } from "./protocol.ts";

/**
 * A worker that is not ready by then never will be: it hangs, and has no heart yet that could be watched. Long, for zones
 * of many megabytes are read at the start, and a machine that boots is slow.
 */
const START_LIMIT: Duration = seconds(60);
/** A worker that has not closed its sockets by then is ended: it may hang. Below the limit of the whole service. */
const CLOSE_LIMIT: Duration = seconds(2);

export interface WorkerThreadOptions<C extends WorkerContract> {
  readonly module: URL;
  readonly data: WorkerData<C>;
  readonly clock: Clock;
  readonly onMessage: (message: C["toMain"], index: number) => void;
  /** Called once when the thread ends after it was ready and before it was asked to close. */
  readonly onEnded: (failure: Error) => void;
}

/** One worker as its main thread sees it. */
export class WorkerThread<C extends WorkerContract> {
  /** Rejects with what kept the worker from starting. */
  readonly ready: Promise<C["ready"]>;
  readonly #options: WorkerThreadOptions<C>;
  readonly #worker: Worker;
  readonly #starting = Promise.withResolvers<C["ready"]>();
  readonly #closed = Promise.withResolvers<void>();
  #serving = false;
  #failure: Error | undefined;

  constructor(options: WorkerThreadOptions<C>) {
    this.#options = options;
    const { index, workers } = options.data;
    const tooLate = new Error(`worker ${index + 1} of ${workers} was not ready within ${formatDuration(START_LIMIT)}`);
    const limit = options.clock.after("worker-start-limit", START_LIMIT, () => this.#starting.reject(tooLate));
    this.ready = this.#starting.promise.finally(() => limit.cancel());
    this.#worker = new Worker(options.module, { workerData: options.data, name: `worker-${options.data.index + 1}` });
    this.#worker.on("message", (message: FromWorker<C>) => this.#hear(message));
    this.#worker.on("error", (failure) => (this.#failure = failure instanceof Error ? failure : undefined));
    this.#worker.on("exit", (code) => this.#ended(code));
  }

  tell(body: C["toWorker"]): void {
    this.#post({ kind: "told", body });
  }

  /** Resolves when its sockets are closed and the thread is gone, one way or the other. */
  async close(): Promise<void> {
    this.#serving = false;
    this.#post({ kind: "close" });
    const limit = this.#options.clock.after("worker-close-limit", CLOSE_LIMIT, () => this.#closed.resolve());
    await this.#closed.promise;
    limit.cancel();
    await this.#worker.terminate();
  }

  #post(message: ToWorker<C>): void {
    this.#worker.postMessage(message);
  }

  #hear(message: FromWorker<C>): void {
    switch (message.kind) {
      case "ready":
        this.#serving = true;
        return this.#starting.resolve(message.body);
      case "failed":
        this.#closed.resolve();
        return this.#starting.reject(failureOfText(message.failure));
      case "told":
        return this.#options.onMessage(message.body, this.#options.data.index);
      case "closed":
        return this.#closed.resolve();
    }
  }

  #ended(code: number): void {
    const { index, workers } = this.#options.data;
    const said = this.#failure === undefined ? `exit code ${code}` : this.#failure.message;
    const failure = new Error(`worker ${index + 1} of ${workers} ended: ${said}`, { cause: this.#failure });
    this.#starting.reject(failure);
    this.#closed.resolve();
    if (this.#serving) this.#options.onEnded(failure);
    this.#serving = false;
  }
}
