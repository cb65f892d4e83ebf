import type { Precedence } from "./precedence.ts";
import type { Duration, Instant } from "@stitch/clock";

import type { BfdReason, ProblemReason, RefusedReason } from "./reasons.ts";
import type { BfdState } from "./wire/index.ts";

/** A session has changed its state. */
export interface BfdChange {
  readonly address: string;
  readonly from: BfdState;
  readonly to: BfdState;
  readonly reason: BfdReason;
  /** The path to the peer is gone: end the routing session over it at once. False for every planned end. */
  readonly lost: boolean;
  /** When, on the monotonic clock that all threads of a process share. */
  readonly at: Instant;
}

/** Everything there is to say about a session, as a plain object. */
export interface BfdStatus {
  readonly address: string;
  readonly localAddress: string | undefined;
  readonly sourcePort: number | undefined;
  readonly state: BfdState;
  /** When the state was entered. */
  readonly since: Instant;
  readonly reason: BfdReason | undefined;
  /** Why the session is not spoken at all; tried again every second. */
  readonly problem: { readonly reason: ProblemReason; readonly text: string } | undefined;
  readonly localDiscriminator: number;
  readonly localDiagnostic: number;
  readonly remoteState: BfdState;
  /** 0: the peer is not heard. */
  readonly remoteDiscriminator: number;
  readonly remoteDiagnostic: number;
  readonly remoteMultiplier: number;
  readonly remoteMinRx: Duration;
  readonly remoteMinTx: Duration;
  /** Before jitter; undefined: no periodic packets. */
  readonly transmitInterval: Duration | undefined;
  /** Undefined before the peer is heard. */
  readonly detectionTime: Duration | undefined;
  readonly polling: boolean;
  readonly received: number;
  readonly sent: number;
  readonly sendFailures: number;
  /** Why the last packet from this peer that was not used was not. */
  readonly lastRefused: RefusedReason | undefined;
  /** How often the session has reached Up. */
  readonly ups: number;
}

/** What the thread says of itself once a second. */
export interface BfdReport {
  readonly sessions: readonly BfdStatus[];
  readonly refused: Readonly<Record<RefusedReason, number>>;
  /** How late the thread's timers ran at the worst since the last report. */
  readonly lag: Duration;
  /** Whether the system lets the thread go before others. */
  readonly precedence: Precedence;
}
