import { runWorker, type WorkerContext, type WorkerParts } from "../../src/index.ts";
import type { DemoWorkers } from "./demo-workers.ts";

// A worker of nothing, which does what it is told: counts, hangs, crashes, leaves.
const BEHAVIOUR = {
  count: (outcomes: Float64Array) => {
    outcomes[1] = (outcomes[1] ?? 0) + 1;
  },
  hang: () => {
    for (;;);
  },
  crash: () => {
    setImmediate(() => {
      throw new Error("ordered to crash");
    });
  },
  leave: () => process.exit(7),
} as const;

/** Memory, not a copy of it: none is left here. */
function handOver(tell: WorkerContext<DemoWorkers>["tell"]): void {
  const bytes = Uint8Array.of(1, 2, 3);
  tell({ did: "handed over", bytes }, [bytes.buffer]);
  tell({ did: `has ${bytes.length} left` });
}

await runWorker<DemoWorkers>(async ({ index, settings, row, tell }): Promise<WorkerParts<DemoWorkers>> => {
  if (settings.start === "bind" && index === 1) {
    throw Object.assign(new Error("cannot bind udp 127.0.0.1:1: taken"), { name: "BindError", code: "EADDRINUSE" });
  }
  if (settings.start === "leave" && index === 1) process.exit(3);
  if (settings.start === "hang") BEHAVIOUR.hang();
  let published = 0;
  return {
    ready: { greeting: `worker ${index} is ready` },
    publish: () => row.set("published", (published += 1)),
    hear: ({ worker, what }) => {
      if (worker !== index) return;
      if (what === "hand-over") return handOver(tell);
      tell({ did: what });
      BEHAVIOUR[what](row.outcomes);
    },
    close: async () => {},
  };
});
