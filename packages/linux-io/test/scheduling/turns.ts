import { readdirSync, readFileSync } from "node:fs";
import { isMainThread, Worker } from "node:worker_threads";
import { giveWay, serveFirst } from "../../src/index.ts";
import { fieldOf, ownField } from "./own-stat.ts";

function nice(): number {
  return ownField(19);
}

/** Of V8's own threads. */
function niceOfHelpers(): number[] {
  return readdirSync("/proc/self/task")
    .map((thread) => readFileSync(`/proc/self/task/${thread}/stat`, "utf8"))
    .filter((stat) => stat.includes("(node-V8Worker"))
    .map((stat) => fieldOf(stat, 19));
}

/** Nanoseconds; undefined where the kernel does not say. */
function slice(): number | undefined {
  try {
    const line = /^se\.slice\s*:\s*(\d+)/m.exec(readFileSync("/proc/thread-self/sched", "utf8"));
    return line === null ? undefined : Number(line[1]);
  } catch {
    return undefined;
  }
}

if (isMainThread) {
  const before = nice();
  const worker = new Worker(new URL(import.meta.url));
  worker.once("message", (ofWorker) => {
    const refused = giveWay() ?? null;
    process.stdout.write(JSON.stringify({ before, refused, after: nice(), ofHelpers: niceOfHelpers(), ofWorker }));
    worker.postMessage("end");
  });
  worker.once("message", () => worker.on("message", (niceAfter) => process.stdout.write(`\n${niceAfter}`)));
} else {
  const { parentPort } = await import("node:worker_threads");
  const refused = serveFirst() ?? null;
  parentPort?.postMessage({ refused, slice: slice() ?? null });
  parentPort?.once("message", () => parentPort.postMessage(nice()));
}
