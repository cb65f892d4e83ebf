import { isIP } from "node:net";
import { milliseconds, seconds, type Duration } from "@stitch/clock";
import {
  ConfigError,
  duration,
  hostPort,
  ipAddress,
  parsed,
  section,
  workerCount,
  type HostPort,
  type Problem,
  type SiteDocument,
} from "@stitch/config";
import { formatEndpoint, isWildcard } from "@stitch/linux-io";
import { z } from "zod";

const NTP_PORT = 123;
const CHRONYD_COMMAND_PORT = 323;

/** Who knows the state of this host's clock. */
export type ClockSetting =
  | { readonly kind: "auto" | "adjtimex" | "local" }
  | { readonly kind: "chronyd" | "ntp"; readonly at: HostPort };

/** More sockets than any site has addresses. */
const MOST_LISTENERS = 64;
const MOST_REFERENCES = 64;

const CLOCK_FORMS = "auto, chronyd, chronyd://127.0.0.1:323, ntp://127.0.0.1:123, adjtimex or local";

/** The `ntp` section of site.yaml. */
export const ntpSection = section({
  /** Addresses that are served, each bound by itself. */
  listen: z.array(hostPort(NTP_PORT)).min(1, "at least one address to serve").max(MOST_LISTENERS),
  /** Threads that serve. */
  workers: workerCount().default(1),
  /** Where /health, /metrics and the lease are served. */
  health: hostPort().default({ address: "127.0.0.1", port: 8123 }),
  clock: parsed(`a source of the clock's state: ${CLOCK_FORMS}`, parseClock).default({ kind: "auto" }),
  /** Root distance, delay / 2 + dispersion, beyond which the clock is not good enough (RFC 5905 allows 1 s at most). */
  maxRootDistance: duration({ min: milliseconds(1), max: seconds(1) }).default(milliseconds(100)),
  /** Unicast addresses of other servers to compare with; not used yet. */
  references: z.array(ipAddress()).max(MOST_REFERENCES).default([]),
});

export interface NtpConfig {
  readonly listen: readonly HostPort[];
  readonly workers: number;
  readonly health: HostPort;
  readonly clock: ClockSetting;
  readonly maxRootDistance: Duration;
  readonly references: readonly string[];
}

/** The section, read and checked as a whole. Throws ConfigError with every problem found. */
export function ntpConfig(document: SiteDocument): NtpConfig {
  const config: NtpConfig = document.section("ntp", ntpSection);
  const problems = check(config).map(({ path, message }) => document.problemAt(["ntp", ...path], message));
  if (problems.length > 0) throw new ConfigError(document.file, problems satisfies readonly Problem[]);
  return config;
}

interface Finding {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** What only several settings together, or this version, make wrong. */
function check({ listen, clock, references }: NtpConfig): Finding[] {
  return [...checkListen(listen), ...checkClock(clock, listen), ...checkReferences(references, listen)];
}

function checkListen(listen: readonly HostPort[]): Finding[] {
  const seen = new Set<string>();
  const findings: Finding[] = [];
  for (const [i, endpoint] of listen.entries()) {
    const text = formatEndpoint(endpoint);
    const path = ["listen", i];
    if (isWildcard(endpoint.address)) {
      const message = `"${text}" is every address: a reply would leave from the wrong one and clients would drop it; name each address`;
      findings.push({ path, message });
    } else if (endpoint.port !== 0 && seen.has(text)) findings.push({ path, message: `"${text}" is listed twice` });
    seen.add(text);
  }
  return findings;
}

function checkClock(clock: ClockSetting, listen: readonly HostPort[]): Finding[] {
  const path = ["clock"];
  if (clock.kind === "chronyd" && !isLoopback(clock.at.address)) {
    const message = `"chronyd://${formatEndpoint(clock.at)}" is not on this host: the command protocol has no authentication; use a loopback address`;
    return [{ path, message }];
  }
  if (clock.kind === "ntp" && listen.some((own) => sameEndpoint(own, clock.at))) {
    const message = `"ntp://${formatEndpoint(clock.at)}" is an address of the responder itself; name the host's own daemon`;
    return [{ path, message }];
  }
  return [];
}

function checkReferences(references: readonly string[], listen: readonly HostPort[]): Finding[] {
  return references.flatMap((address, i) =>
    listen.some((own) => own.address === address)
      ? [{ path: ["references", i], message: `"${address}" is an address of the responder itself` }]
      : [],
  );
}

function parseClock(text: string): ClockSetting | undefined {
  switch (text) {
    case "auto":
    case "adjtimex":
    case "local":
      return { kind: text };
    case "chronyd":
      return { kind: "chronyd", at: { address: "127.0.0.1", port: CHRONYD_COMMAND_PORT } };
    default:
      return parseClockUrl(text);
  }
}

function parseClockUrl(text: string): ClockSetting | undefined {
  const [, kind, place = ""] = /^(chronyd|ntp):\/\/(.+)$/.exec(text) ?? [];
  if (kind !== "chronyd" && kind !== "ntp") return undefined;
  const at = hostPort(kind === "ntp" ? NTP_PORT : CHRONYD_COMMAND_PORT).safeParse(place);
  return at.success && at.data.port !== 0 ? { kind, at: at.data } : undefined;
}

export function sameEndpoint(a: HostPort, b: HostPort): boolean {
  return a.address === b.address && a.port === b.port;
}

function isLoopback(address: string): boolean {
  return isIP(address) === 4 ? address.startsWith("127.") : address === "::1";
}
