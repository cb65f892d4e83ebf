import { runWorker, type WorkerParts } from "../../src/index.ts";
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
      tell({ did: what });
      BEHAVIOUR[what](row.outcomes);
    },
    close: async () => {},
  };
});
