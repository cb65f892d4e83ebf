import type { WorkerContract, WorkerLayout } from "../../src/index.ts";

/** What test and worker say to each other. */
export interface DemoWorkers extends WorkerContract {
  readonly settings: { readonly start: "well" | "bind" | "leave" | "hang" };
  readonly ready: { readonly greeting: string };
  readonly toWorker: { readonly worker: number; readonly what: "count" | "hang" | "crash" | "leave" | "hand-over" };
  readonly toMain: { readonly did: string; readonly bytes?: Uint8Array };
  readonly reason: "bad" | "good";
  readonly figure: "published";
}

export const LAYOUT: WorkerLayout<DemoWorkers["reason"], DemoWorkers["figure"]> = {
  outcomes: ["bad", "good"],
  figures: ["published"],
};
