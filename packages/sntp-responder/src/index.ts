export { ntpConfig, ntpSection, type ClockSetting, type NtpConfig } from "./config.ts";
export { REASONS, type Reason } from "./reasons.ts";
