import type { CheckConfig } from "../config/checks.ts";
import { hostOf } from "../config/targets.ts";

/** A check in words, for status and explain. */
export function describeCheck(check: CheckConfig): string {
  switch (check.kind) {
    case "lease":
      return `lease ${check.lease.href}`;
    case "http":
      return `http ${check.url.href}`;
    case "exec":
      return `exec ${check.command[0]}`;
    case "all":
    case "any":
      return `${check.kind} of (${check.parts.map(describeCheck).join(", ")})`;
    default:
      return `${check.kind} ${check.target.address} port ${check.target.port}`;
  }
}

/** Whether a check tells the load, so that its VIP moves clients by it. */
export function namesLoad(check: CheckConfig): boolean {
  if (check.kind === "all" || check.kind === "any") return check.parts.some(namesLoad);
  return check.kind === "http" && check.load !== undefined;
}

/** Addresses that a check asks, outermost combination included; none for a command. */
export function targetsOf(check: CheckConfig): readonly string[] {
  switch (check.kind) {
    case "lease":
      return [hostOf(check.lease)];
    case "http":
      return [hostOf(check.url)];
    case "exec":
      return [];
    case "all":
    case "any":
      return check.parts.flatMap(targetsOf);
    default:
      return [check.target.address];
  }
}

/** The leases in a check, combinations included. */
export function leasesIn(check: CheckConfig): URL[] {
  if (check.kind === "lease") return [check.lease];
  return check.kind === "all" || check.kind === "any" ? check.parts.flatMap(leasesIn) : [];
}
