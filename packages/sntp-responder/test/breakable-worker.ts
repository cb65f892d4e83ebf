import { BroadcastChannel, workerData } from "node:worker_threads";
import "../src/worker.ts";

/** What the test may order: { worker, what }. The worker itself is the one that ships. */
const orders = new BroadcastChannel("orders");
orders.unref();
orders.onmessage = ({ data }: { readonly data: { readonly worker: number; readonly what: "hang" | "crash" } }) => {
  if (data.worker !== (workerData as { readonly index: number }).index) return;
  if (data.what === "hang") for (;;);
  setImmediate(() => {
    throw new Error("ordered to crash");
  });
};
