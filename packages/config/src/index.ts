export type { Problem } from "./problem.ts";
export { ConfigError, formatPath } from "./problem.ts";
export { section } from "./section.ts";
export { unreadable, UnreadableFile } from "./unreadable.ts";
export { SECTIONS, SiteDocument, type SectionName } from "./site-document.ts";
export type { ByteSize, HostPort, ListenUrl, Prefix } from "./units.ts";
export {
  asNumber,
  byteSize,
  duration,
  expectation,
  hostPort,
  ipAddress,
  listenUrl,
  parsed,
  percent,
  prefix,
  routerId,
  workerCount,
} from "./units.ts";
