import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { Cache } from "../../packages/dns-resolver/src/cache.ts";
import { packImage } from "../../packages/dns-resolver/src/cache/image.ts";
import { adoptName, Query } from "../../packages/dns-resolver/src/wire/query.ts";
import type { Outcome } from "./outcome.ts";
import { Images, keyOf, memoryFor, MESSAGE_BYTES, type Memory } from "./slab/images.ts";
import { spreadOf, spreadText, type Spread } from "./spread.ts";

const IMAGES = 10_000;
const LOOK_UPS = 2_000_000;
const HAND_OVERS = 40_000;
/** Hand-overs under way, as many as a busy worker has questions on their way. */
const WINDOW = 64;
/** Answers that an owner stores in a second: a worker that does nothing but forward. */
const WRITES = 20_000;
/** The cache of two workers, and what they are asked: so many names, the n-th 1/n as often as the first. */
const CACHE_BYTES = 8 * 2 ** 20;
const NAMES = 200_000;
const QUERIES = 1_000_000;

interface Round {
  readonly name: string;
  readonly nanoseconds: number;
}

/**
 * Should workers share one cache? What a look-up costs in a slab of one's own, in a shared one with a sequence to check,
 * and beside its owner who writes; what it costs to hand a question over to the owner; and how many questions upstream
 * sharing saves.
 */
export async function benchSlab(rounds: number): Promise<{ outcome: Outcome; raw: unknown }> {
  const measured: Round[] = [];
  for (let round = 0; round < rounds; round += 1) {
    process.stderr.write(`slab: round ${round + 1} of ${rounds}\n`);
    measured.push({ name: "private", nanoseconds: lookUps(memoryFor(IMAGES, false), false) });
    measured.push({ name: "shared", nanoseconds: lookUps(memoryFor(IMAGES, true), true) });
    measured.push({ name: "shared beside its writer", nanoseconds: await besideWriter() });
    measured.push({ name: "hand-over of a question", nanoseconds: await handOvers() });
  }
  const shared = missesOf(1, CACHE_BYTES);
  const misses = { same: missesOf(2, CACHE_BYTES) / shared, twice: missesOf(2, 2 * CACHE_BYTES) / shared };
  return { outcome: summary(measured, rounds, misses), raw: measured };
}

function lookUps(memory: Memory, shared: boolean): number {
  const images = new Images(memory);
  const keys = Array.from({ length: IMAGES }, (_, n) => keyOf(n));
  for (const [n, key] of keys.entries()) images.write(n, key, n & 0xff);
  return timed(images, keys, shared);
}

/** Nanoseconds a look-up, of this thread's CPU time. */
function timed(images: Images, keys: readonly Uint8Array[], shared: boolean): number {
  const out = new Uint8Array(MESSAGE_BYTES);
  let found = 0;
  const before = process.threadCpuUsage();
  for (let i = 0; i < LOOK_UPS; i += 1) {
    const key = keys[(i * 7_919) % IMAGES] ?? out;
    if (shared ? images.readShared(key, i, out) : images.read(key, i, out)) found += 1;
  }
  const { user, system } = process.threadCpuUsage(before);
  // Beside a writer a reader may see half a key, which is a miss.
  if (found < LOOK_UPS * 0.999) throw new Error(`${LOOK_UPS - found} look-ups found nothing`);
  return ((user + system) * 1_000) / LOOK_UPS;
}

async function besideWriter(): Promise<number> {
  const memory = memoryFor(IMAGES, true);
  const images = new Images(memory);
  const keys = Array.from({ length: IMAGES }, (_, n) => keyOf(n));
  for (const [n, key] of keys.entries()) images.write(n, key, n & 0xff);
  const writer = await writing(memory, WRITES);
  try {
    return timed(images, keys, true);
  } finally {
    await writer.terminate();
  }
}

async function writing(memory: Memory, perSecond: number): Promise<Worker> {
  const workerData = { memory, images: IMAGES, perSecond };
  const worker = new Worker(new URL("./slab/writer.ts", import.meta.url), { workerData });
  worker.postMessage(new Uint8Array(1));
  await once(worker, "message"); // it writes
  return worker;
}

/** Nanoseconds of CPU, of both threads, for a question that goes to the owner and the word that it is done. */
async function handOvers(): Promise<number> {
  const worker = await writing(memoryFor(IMAGES, true), 0);
  const question = keyOf(1);
  let done = 0;
  const before = process.cpuUsage();
  await new Promise<void>((resolve) => {
    worker.on("message", () => {
      done += 1;
      if (done === HAND_OVERS) resolve();
      else if (done + WINDOW <= HAND_OVERS) worker.postMessage(question);
    });
    for (let i = 0; i < WINDOW; i += 1) worker.postMessage(question);
  });
  const { user, system } = process.cpuUsage(before);
  await worker.terminate();
  return ((user + system) * 1_000) / HAND_OVERS;
}

/** Questions that are not in the cache when its bytes are divided among so many workers, to whom clients are dealt out. */
function missesOf(workers: number, bytes: number): number {
  const caches = Array.from({ length: workers }, () => new Cache({ size: bytes / workers, staleSeconds: 0, seed: 1 }));
  const draw = generator(7);
  const query = new Query();
  let misses = 0;
  for (let i = 0; i < QUERIES; i += 1) {
    const n = Math.floor(NAMES ** draw()) - 1;
    const cache = caches[Math.floor(draw() * workers)];
    adoptName(query, Uint8Array.from([7, ...Buffer.from(n.toString(36).padStart(7, "0")), 0]), 1, 1);
    if (cache === undefined || cache.find(query, 0, 1) >= 0) continue;
    misses += 1;
    const message = new Uint8Array(MESSAGE_BYTES);
    message.set(query.key.subarray(0, query.keyLength), 12);
    const image = packImage({ message, nameLength: query.nameLength, ttlsAt: [], negative: false }, 0);
    cache.store(image, query, 0, 0, 3_600);
  }
  return misses;
}

/** The same numbers in every run (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const NAMES_OF = ["private", "shared", "shared beside its writer", "hand-over of a question"] as const;

function summary(
  measured: readonly Round[],
  rounds: number,
  misses: { readonly same: number; readonly twice: number },
): Outcome {
  const of = (name: string): number[] =>
    measured.filter((round) => round.name === name).map(({ nanoseconds }) => nanoseconds);
  const base = of("private");
  const ratio = (name: string): Spread => spreadOf(of(name).map((value, i) => value / (base[i] ?? Number.NaN)));
  return {
    bench: "slab",
    versions: { node: process.version },
    settings: { rounds, images: IMAGES, "writes a second": WRITES, names: NAMES, "cache bytes": CACHE_BYTES },
    ratios: {
      "shared/private": ratio("shared"),
      "shared-written/private": ratio("shared beside its writer"),
    },
    figures: { hand_over_cpu_ns: spreadOf(of("hand-over of a question")), misses_private_over_shared: misses.same },
    table: [
      ...NAMES_OF.map((name) => ({ what: name, "CPU ns": spreadText(spreadOf(of(name)), 0) })),
      { what: "misses, two private by one shared", "CPU ns": misses.same.toFixed(2) },
      { what: "misses, two private with twice the memory", "CPU ns": misses.twice.toFixed(2) },
    ],
    missed: [],
  };
}
