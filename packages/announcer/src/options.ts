import type { BfdChange } from "@stitch/bfd";
import type { Clock, Duration, Instant } from "@stitch/clock";
import type { HealthIdentity } from "@stitch/health";
import type { BfdSessions } from "./bfd-watch.ts";
import type { CheckObserver, RouteCheck } from "./check/observer.ts";
import type { AnnouncerConfig, VipConfig } from "./config.ts";
import type { DrainRuling } from "./decision/drain.ts";
import type { DrainedBy } from "./decision/machine.ts";
import type { Evidence } from "./evidence/evidence.ts";
import type { FlapMemory } from "./flap-memory.ts";
import type { Journal } from "./journal.ts";
import type { SavedDrains } from "./saved-drains.ts";
import type { KernelSpeaker } from "./speaker/kernel.ts";
import type { OpenSession } from "./speakers.ts";

/** The announcer's collaborators. */
export interface AnnouncerOptions {
  readonly identity: HealthIdentity;
  readonly config: AnnouncerConfig;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly savedDrains: SavedDrains;
  readonly openSession: OpenSession;
  readonly openBfd: (onChange: (change: BfdChange) => void) => BfdSessions;
  /** Where the configuration asks for one. */
  readonly kernel?: KernelSpeaker;
  readonly openCheck: (vip: VipConfig, observer: CheckObserver, config: AnnouncerConfig) => RouteCheck;
  readonly addressIsLocal: (address: string) => Promise<boolean | undefined>;
  readonly flaps: FlapMemory;
  readonly evidence: Evidence;
}

export interface DrainRequest {
  readonly reason: string;
  readonly forced: boolean;
  /** Returns by itself after this long. */
  readonly lasts: Duration | undefined;
}

/** A drain in force for one VIP. */
export interface Drain extends DrainRequest {
  readonly by: DrainedBy;
  readonly began: Instant;
  readonly until: Instant | undefined;
  ruling: DrainRuling;
}
