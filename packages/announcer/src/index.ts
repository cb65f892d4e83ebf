export { Announcer, type AnnouncerOptions, type RouteCheck } from "./announcer.ts";
export { announcerConfig, announcerSection, type AnnouncerConfig } from "./config.ts";
export { REASONS, type Reason } from "./decision/reasons.ts";
export type { StateName, Verdict, Wish } from "./decision/machine.ts";
export { Journal, type JournalEntry } from "./journal.ts";
export type { RouteSession } from "./peer.ts";
export type { AnnouncerStatus, KernelStatus, PeerStatus, VipStatus } from "./status.ts";
