export type { RecordFilter } from "./filter.ts";
export { microsOf } from "./filter.ts";
export type { FollowOptions } from "./follow.ts";
export { follow } from "./follow.ts";
export type { ReadOptions } from "./reader.ts";
export { readRecords } from "./reader.ts";
export type { LogRecord, Severity } from "./record.ts";
export { FACILITIES, parseRecord, rawBytes, senderAddress, SEVERITIES } from "./record.ts";
export { escapeUnsafe, formatRecord } from "./terminal-line.ts";
