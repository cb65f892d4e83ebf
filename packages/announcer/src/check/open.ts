import type { Clock } from "@stitch/clock";
import type { CheckConfig } from "../config/checks.ts";
import { hostOf } from "../config/targets.ts";
import { Combination } from "./combination.ts";
import { dnsProbe } from "./dns.ts";
import { execProbe } from "./exec.ts";
import { httpProbe } from "./http.ts";
import { LeaseCheck } from "./lease.ts";
import { ntpProbe } from "./ntp.ts";
import type { CheckObserver, Probe, RouteCheck } from "./observer.ts";
import { Poller, type Pace } from "./poller.ts";
import { syslogProbe } from "./syslog.ts";
import { tcpProbe } from "./tcp.ts";
import { encodeName } from "./wire/dns.ts";

export interface CheckSurroundings {
  readonly clock: Clock;
  readonly random: () => number;
  /** Failed polls in a row before a part of a combination has failed. */
  readonly fall: number;
  /** The VIPs' addresses. */
  readonly vips: ReadonlySet<string>;
}

/** The check that a configuration asks for, telling `observer`. */
export function openCheck(check: CheckConfig, observer: CheckObserver, around: CheckSurroundings): RouteCheck {
  const { clock, random, fall } = around;
  switch (check.kind) {
    case "lease":
      return new LeaseCheck({ url: check.lease, timeout: check.timeout, clock, observer });
    case "all":
    case "any": {
      const parts = check.parts.map((part) => (each: CheckObserver) => openCheck(part, each, around));
      return new Combination({ rule: check.kind, parts, observer, fall });
    }
    default:
      return new Poller({ probe: probeOf(check, around), pace: check.pace, clock, random, observer });
  }
}

export type PolledConfig = Extract<CheckConfig, { readonly pace: Pace }>;

/** One use of the service, as often as it is called. */
export function probeOf(check: PolledConfig, { vips, clock }: Pick<CheckSurroundings, "vips" | "clock">): Probe {
  switch (check.kind) {
    case "http":
      return httpProbe({ ...check, localAddress: sourceFor(hostOf(check.url), vips) });
    case "tcp":
      return tcpProbe({ target: check.target, localAddress: sourceFor(check.target.address, vips) });
    case "ntp":
      return ntpProbe({ target: check.target, localAddress: sourceFor(check.target.address, vips) });
    case "dns": {
      const name = encodeName(check.name) ?? Uint8Array.of(0); // refused as configuration already
      return dnsProbe({ ...check, name, localAddress: sourceFor(check.target.address, vips) });
    }
    case "syslog":
      return syslogProbe({ ...check, localAddress: sourceFor(check.target.address, vips) }, clock);
    case "exec":
      return execProbe(check, clock);
  }
}

/**
 * A VIP is asked from loopback: such a packet cannot leave the machine, so the answer is never another site's, and the
 * question never comes from the VIP itself. Any other target is asked from the address that the system chooses.
 */
export function sourceFor(target: string, vips: ReadonlySet<string>): string | undefined {
  if (!vips.has(target)) return undefined;
  return target.includes(":") ? "::1" : "127.0.0.1";
}
