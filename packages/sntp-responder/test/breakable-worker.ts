import { BroadcastChannel, workerData } from "node:worker_threads";
import "../src/worker.ts";

/** What the test may order. The worker itself is the one that ships. */
interface Order {
  readonly worker: number;
  readonly what: "hang" | "crash";
}

const orders = new BroadcastChannel("orders");
orders.addEventListener("message", (event) => {
  const { worker, what } = (event as unknown as { readonly data: Order }).data;
  if (worker !== (workerData as { readonly index: number }).index) return;
  if (what === "hang") for (;;);
  setImmediate(() => {
    throw new Error("ordered to crash");
  });
});
orders.unref();
