import { parentPort, workerData } from "node:worker_threads";
import { Images, keyOf, type Memory } from "./images.ts";

/** The owner of a shared slab: writes images anew, so many a second, and takes over questions that another one has. */
interface Data {
  readonly memory: Memory;
  readonly images: number;
  readonly perSecond: number;
}
const { memory, images, perSecond } = workerData as Data;
const TICK_MS = 2;

const store = new Images(memory);
const keys = Array.from({ length: images }, (_, n) => keyOf(n));
let next = 0;
function write(): void {
  for (let i = 0; i < (perSecond * TICK_MS) / 1_000; i += 1) {
    const place = (next * 7_919) % images;
    store.write(place, keys[place] ?? keyOf(place), next & 0xff);
    next += 1;
  }
}
if (perSecond > 0) setInterval(write, TICK_MS);
parentPort?.on("message", (question: Uint8Array) => parentPort?.postMessage(question));
