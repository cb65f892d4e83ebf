import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { UsageError } from "../usage.ts";

const RESOLV_CONF = "/etc/resolv.conf";

/** Upstreams for `--forward system` (the machine's own resolvers) or `--forward ADDRESS`. */
export function forwardUpstreams(forward: string | undefined): string[] {
  if (forward === undefined) return [];
  if (isIP(forward) !== 0) return [forward];
  if (forward !== "system") throw new UsageError(`--forward takes "system" or an address, not "${forward}"`);
  const found = nameservers(readResolvConf());
  if (found.length === 0) throw new UsageError(`${RESOLV_CONF} names no resolver to forward to; use --forward ADDRESS`);
  return found;
}

/** Addresses of `nameserver` lines (resolv.conf(5)), without scoped ones that a configuration cannot carry. */
export function nameservers(text: string): string[] {
  return text.split("\n").flatMap((line) => {
    const [, address = ""] = /^\s*nameserver\s+(\S+)/.exec(line) ?? [];
    return isIP(address) !== 0 && !address.includes("%") ? [address] : [];
  });
}

function readResolvConf(): string {
  try {
    return readFileSync(RESOLV_CONF, "utf8");
  } catch {
    return "";
  }
}
