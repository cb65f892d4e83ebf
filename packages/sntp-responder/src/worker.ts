import { performance } from "node:perf_hooks";
import { seconds } from "@stitch/clock";
import { Outcomes, runWorker, type WorkerContext, type WorkerParts, type WorkerRow } from "@stitch/health";
import { kernelDropsOf } from "@stitch/linux-io";
import { ToldClock, WORKER_WATCH_INTERVAL } from "./host-clock/told-clock.ts";
import { Server } from "./server.ts";
import type { Figure, NtpWorkers } from "./worker-contract.ts";

/** A responder in a thread of its own; what it says of the clock it has from the main thread. */
async function startWorker(context: WorkerContext<NtpWorkers>): Promise<WorkerParts<NtpWorkers>> {
  const { clock, log, row, settings, workers, index } = context;
  const server: Server = await Server.open({
    listen: settings.listen,
    workers,
    clock,
    outcomes: new Outcomes(row.outcomes),
    beforeBatch: () => toldClock.look(),
    onFailure: (failure) => log.error({ err: failure }, "socket"),
  });
  const toldClock: ToldClock = new ToldClock(clock, (state) => server.serve(state));
  await server.warm();
  const timers = [
    clock.every("clock-watch", WORKER_WATCH_INTERVAL, () => toldClock.look()),
    clock.every("load", seconds(1), loadMeter(row)),
  ];
  return {
    ready: { lacking: [...new Set(server.sockets.flatMap((socket) => socket.lacking))] },
    publish: () => publish(row, server, toldClock, index),
    hear: (told) => toldClock.hear(told),
    close: async () => {
      for (const timer of timers) timer.cancel();
      await server.close();
    },
  };
}

function publish(row: WorkerRow<Figure>, server: Server, toldClock: ToldClock, index: number): void {
  const sum = (read: (socket: (typeof server.sockets)[number]) => number): number =>
    server.sockets.reduce((total, socket) => total + read(socket), 0);
  row.set(
    "repliesSent",
    sum(({ counters }) => counters.sent),
  );
  row.set(
    "sendFailures",
    sum(({ counters }) => counters.sendFailures),
  );
  row.set(
    "batches",
    sum(({ counters }) => counters.batches),
  );
  row.set(
    "fullBatches",
    sum(({ counters }) => counters.fullBatches),
  );
  row.set(
    "receiveBuffer",
    sum(({ grantedReceiveBuffer }) => grantedReceiveBuffer),
  );
  row.set("kernelDrops", kernelDropsOf(server.sockets, index));
  row.set("stepped", toldClock.stepped ? 1 : 0);
}

/** Load is the share of the last second in which this thread's event loop was busy. */
function loadMeter(row: WorkerRow<Figure>): () => void {
  let before = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    row.set("load", performance.eventLoopUtilization(now, before).utilization);
    before = now;
  };
}

await runWorker(startWorker);
