export { checkDns, dnsConfig, dnsSection, localPath, type DnsSettings } from "./config.ts";
export { REASONS, type Reason } from "./reasons.ts";
