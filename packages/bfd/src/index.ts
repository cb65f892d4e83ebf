export { BfdMonitor, type BfdMonitorOptions, RESTART_WAIT, STOP_WAIT } from "./monitor.ts";
export { type BfdPeer, MAX_PEERS } from "./peer.ts";
export {
  BFD_REASONS,
  type BfdReason,
  PROBLEM_REASONS,
  type ProblemReason,
  REFUSED_REASONS,
  type RefusedReason,
} from "./reasons.ts";
export type { Precedence } from "./precedence.ts";
export type { BfdChange, BfdReport, BfdStatus } from "./status.ts";
export {
  DEFAULT_INTERVAL,
  DEFAULT_MULTIPLIER,
  MAX_INTERVAL,
  MAX_MULTIPLIER,
  MIN_INTERVAL,
  SLOW_INTERVAL,
} from "./timing.ts";
export { BFD_PORT } from "./udp-transport.ts";
export { BFD_STATES, type BfdState } from "./wire/state.ts";
export { diagnosticName } from "./wire/diagnostic.ts";
