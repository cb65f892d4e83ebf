import type { ChildProcess } from "node:child_process";

import type { Timers } from "./host.ts";

/** A session as a router shows it, in one form for both. Intervals in ms. */
export interface RouterSession {
  readonly up: boolean;
  /** What it transmits with, after both sides' wishes. */
  readonly transmitInterval: number;
  readonly detectionTime: number;
}

export interface Router {
  /** Undefined: it has none. */
  session(): Promise<RouterSession | undefined>;
  /** All that the router has written and shows: where our diagnostic is looked for. */
  account(): Promise<string>;
  /** Changes its own timers while the session is up, which it announces by a poll. */
  retime(timers: Timers): Promise<void>;
  /** The processes that speak BFD, to be killed. */
  readonly daemon: ChildProcess;
}
