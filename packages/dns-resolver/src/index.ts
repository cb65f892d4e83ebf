export { checkDns, dnsConfig, dnsSection, type DnsSettings } from "./config.ts";
export { REASONS, type Reason } from "./reasons.ts";
