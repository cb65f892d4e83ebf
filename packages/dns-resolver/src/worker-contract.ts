import type { Duration } from "@stitch/clock";
import type { WorkerContract, WorkerLayout } from "@stitch/health";
import type { DatagramSocket, Endpoint } from "@stitch/linux-io";
import type { DeadZones } from "./health.ts";
import type { HotBounds, Taken } from "./sibling/hot-cache.ts";
import { REASONS, type Reason } from "./reasons.ts";
import type { Served } from "./served.ts";

/** Numbers of one worker that the main thread reads at scrape; all are sums over the workers but `looping` and `load`. */
const FIGURES = [
  "cacheEntries",
  "cacheBytes",
  "cacheStored",
  "cacheEvicted",
  "cacheRestored",
  "cachePulled",
  "upstreamInFlight",
  "exchanges",
  "overTcp",
  "timeouts",
  "unreachable",
  "useless",
  "ignored",
  "nearMisses",
  "caseChanged",
  "withoutEdns",
  "coalesced",
  "crossed",
  "hedged",
  "refreshed",
  "tcpConnections",
  "tcpRefused",
  "sendFailures",
  "batches",
  "fullBatches",
  "kernelDrops",
  "queryLogMissed",
  "looping",
  "load",
] as const;
export type Figure = (typeof FIGURES)[number];

export const WORKER_LAYOUT: WorkerLayout<Reason, Figure> = { outcomes: REASONS, figures: FIGURES };

/** What the main thread has found out for all workers. */
export interface WorkerSettings {
  /** Until a reload says otherwise. */
  readonly served: Served;
  /** As claimed: no port is 0. */
  readonly listen: readonly Endpoint[];
  /** Of DNS over TLS, likewise. */
  readonly listenTls: readonly Endpoint[];
  /** Sockets that one worker may open to ask upstreams. */
  readonly sockets: number;
  /** Absolute path, to which each worker adds its number. */
  readonly cacheFile: string | undefined;
  /** Of the names by which loops are found; see LoopTokens. */
  readonly loopKey: Uint8Array;
}

export type SocketFacts = Pick<DatagramSocket, "local" | "implementation" | "lacking" | "grantedReceiveBuffer">;

/** What one worker tells all others. */
export type LoopNews =
  /** A question that looks for a loop has come back. */
  | { readonly kind: "came-back"; readonly token: string }
  /** Upstreams that are left out; see LoopWatch. */
  | { readonly kind: "looping"; readonly upstreams: readonly string[] };

/** What siblings give to each other; each `id` comes back with the answer. */
export type HotOrder =
  | { readonly kind: "give-hot"; readonly id: number; readonly bounds: HotBounds }
  /** Of a sibling that was asked `age` ago. */
  | { readonly kind: "take-hot"; readonly id: number; readonly body: SharedArrayBuffer; readonly age: Duration };

export type HotReport =
  | { readonly kind: "gave-hot"; readonly id: number; readonly part: Uint8Array }
  | { readonly kind: "took-hot"; readonly id: number; readonly taken: Taken };

/** What the main thread and the workers of the resolver say to each other. */
export interface DnsWorkers extends WorkerContract {
  readonly settings: WorkerSettings;
  readonly ready: { readonly sockets: readonly SocketFacts[]; readonly perRoute: number };
  readonly toWorker:
    /** What to serve from now on. */
    { readonly kind: "serve"; readonly served: Served } | LoopNews | HotOrder;
  readonly toMain:
    /** Zones of the routes whose upstreams are all down, whenever that changes. */
    | { readonly kind: "dead-zones"; readonly zones: DeadZones }
    | LoopNews
    | HotReport
    /** What the main thread told is served now. */
    | { readonly kind: "adopted" };
  readonly reason: Reason;
  readonly figure: Figure;
}
