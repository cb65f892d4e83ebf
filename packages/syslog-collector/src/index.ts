export { syslogConfig, syslogSection, type SyslogConfig } from "./config.ts";
export { HEALTH_REASONS, REASONS, type HealthReasonCode, type Reason } from "./reasons.ts";
