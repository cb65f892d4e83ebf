import { Worker } from "node:worker_threads";

import type { WorkerNotice, WorkerOrder, WorkerSettings } from "./protocol.ts";

/** A thread as its owner sees it. */
export interface Thread {
  post(order: WorkerOrder): void;
  terminate(): void;
}

export interface ThreadEvents {
  notice(notice: WorkerNotice): void;
  /** Last, and exactly once; undefined: it ended by itself without a failure. */
  ended(failure: Error | undefined): void;
}

/** The file beside this one, in the form in which this one runs: the sources, or what is published of them. */
const FILE = new URL(import.meta.url.endsWith(".ts") ? "./main.ts" : "./main.js", import.meta.url);

export function startThread(settings: WorkerSettings, events: ThreadEvents): Thread {
  const worker = new Worker(FILE, { name: "bfd", workerData: settings });
  let failure: Error | undefined;
  worker.on("message", (notice: WorkerNotice) => events.notice(notice));
  worker.on("error", (error: Error) => {
    failure = error;
  });
  worker.on("exit", () => events.ended(failure));
  return {
    post: (order) => worker.postMessage(order),
    terminate: () => void worker.terminate(),
  };
}
