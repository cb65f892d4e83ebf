export { ControlError, ControlSocket } from "./control-socket.ts";
export {
  boundedServer,
  listenOn,
  type HttpReply,
  type HttpServer,
  type SecureServerOptions,
} from "./bounded-server.ts";
export { HealthBindError, HealthEndpoint } from "./endpoint.ts";
export type { HealthIdentity, HealthReason, HealthReport, Phase, ReasonClass, Verdict } from "./health.ts";
export { Health } from "./health.ts";
export { LeaseStream } from "./lease.ts";
export { createLogger, type Logger } from "./log.ts";
export {
  counterFrom,
  createRegistry,
  gaugeFrom,
  OutcomeCounter,
  Outcomes,
  outcomesFrom,
  registerHealthMetrics,
} from "./metrics.ts";
export { SELF_CHECK_REASONS, type SelfCheckReason } from "./reasons.ts";
export { EXIT } from "./exit.ts";
export { runService } from "./run.ts";
export { stopWished } from "./stop-wish.ts";
export type { Probe, ProbeResult, Progress } from "./self-check.ts";
export { PROBE_INTERVAL, PROBE_LIMIT, RENEWAL_AGE, SelfCheck } from "./self-check.ts";
export type { ServiceContext, ServiceOptions, ServingParts } from "./service.ts";
export { DRAIN_LIMIT, LINGER, Service, STOP_LIMIT } from "./service.ts";
export { HUNG_AFTER } from "./workers/heart-watch.ts";
export type { WorkerContract } from "./workers/protocol.ts";
export { runWorker, type WorkerContext, type WorkerParts } from "./workers/run-worker.ts";
export { WorkerRow, WorkerTable, type WorkerLayout } from "./workers/table.ts";
export { WorkerGroup, workersHere } from "./workers/worker-group.ts";
export type { Registry } from "prom-client";
