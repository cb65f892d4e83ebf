import type { WorkerContract, WorkerLayout } from "@stitch/health";
import type { DatagramSocket, Endpoint } from "@stitch/linux-io";
import type { ToldState } from "./host-clock/told-clock.ts";
import { REASONS, type Reason } from "./reasons.ts";

/** Numbers of one worker that the main thread reads; all are summed over the workers but `load` and `stepped`. */
const FIGURES = [
  "repliesSent",
  "sendFailures",
  "batches",
  "fullBatches",
  "kernelDrops",
  "receiveBuffer",
  "load",
  "stepped",
] as const;
export type Figure = (typeof FIGURES)[number];

export const WORKER_LAYOUT: WorkerLayout<Reason, Figure> = { outcomes: REASONS, figures: FIGURES };

/** What the main thread and the workers of the responder say to each other. */
export interface NtpWorkers extends WorkerContract {
  /** Addresses as claimed: no port is 0. */
  readonly settings: { readonly listen: readonly Endpoint[] };
  readonly ready: { readonly lacking: DatagramSocket["lacking"] };
  /** Ten times a second. */
  readonly toWorker: ToldState;
  readonly toMain: never;
  readonly reason: Reason;
  readonly figure: Figure;
}
