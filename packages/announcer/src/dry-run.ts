import type { AnnouncerConfig } from "./config.ts";
import type { RouteSession } from "./peer.ts";

/** The first word of its journal. */
export const DRY_RUN = "a dry run: decisions are made and journalled, and nothing is announced";

/** Files of a dry run stand beside those of the announcer that may be running for real. */
const SUFFIX = ".dry-run";

/** The configuration as a dry run has it: the same checks and policies, and nothing that speaks to a network. */
export function quiet(config: AnnouncerConfig, journal: string): AnnouncerConfig {
  return {
    ...config,
    control: controlOfDryRun(config),
    journal: `${journal}${SUFFIX}`,
    health: undefined,
    remote: undefined,
    kernel: undefined,
    peers: config.peers.map((peer) => ({ ...peer, bfd: undefined })),
  };
}

export function controlOfDryRun({ control }: Pick<AnnouncerConfig, "control">): string {
  return `${control}${SUFFIX}`;
}

export function isDryRun({ control }: Pick<AnnouncerConfig, "control">): boolean {
  return control.endsWith(SUFFIX);
}

/** A session that is told everything and never begins. */
export function mute(session: RouteSession): RouteSession {
  return {
    start: () => undefined,
    set: (advertisements) => session.set(advertisements),
    watch: (prefixes) => session.watch(prefixes),
    stop: () => Promise.resolve(),
    bfdDown: () => undefined,
    get status() {
      return session.status;
    },
  };
}
