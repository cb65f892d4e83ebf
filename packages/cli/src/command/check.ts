import { announcerConfig, type AnnouncerConfig, leasesIn } from "@stitch/announcer";
import { formatDuration, seconds, type Duration } from "@stitch/clock";
import type { SiteDocument } from "@stitch/config";
import { dnsConfig } from "@stitch/dns-resolver";
import { formatEndpoint } from "@stitch/linux-io";
import { ntpConfig } from "@stitch/sntp-responder";
import { syslogConfig } from "@stitch/syslog-collector";
import { loadChecked, rolesOf } from "../site.ts";
import type { OperateContext } from "./operate.ts";

/** FRR and BIRD propagate within 100 ms a hop; less drain time than this loses what a planned stop need not lose. */
const SHORTEST_USEFUL_DRAIN: Duration = seconds(1);

/** Validates the whole file. Errors are thrown (exit code 2); what is merely unwise is printed, and is no failure. */
export function check({ file, json, print }: OperateContext): number {
  const document = loadChecked(file);
  const roles = rolesOf(document);
  const warnings = document.has("announcer") ? announcerWarnings(document) : [];
  if (json) {
    print(JSON.stringify({ file, site: document.site, instance: document.instance, roles, warnings }));
    return 0;
  }
  for (const warning of warnings) print(`warning: ${warning}`);
  print(
    `${file}: site ${document.site}, instance ${document.instance}, ${roles.length === 0 ? "no role" : roles.join(", ")}: good`,
  );
  return 0;
}

type Announced = AnnouncerConfig["vips"][number];

function announcerWarnings(document: SiteDocument): string[] {
  const { drain, vips, peers } = announcerConfig(document);
  const warnings: string[] = [];
  if (drain.time < SHORTEST_USEFUL_DRAIN) {
    warnings.push(
      `announcer.drain.time: ${formatDuration(drain.time)} is less than routers need to move clients; 1s or more`,
    );
  }
  warnings.push(...vips.flatMap((vip) => vipWarnings(document, vip)));
  for (const { address, holdTime } of peers) {
    if (holdTime > seconds(30)) {
      warnings.push(
        `announcer.peers: hold time ${formatDuration(holdTime)} with ${address}: a frozen host keeps its route that long`,
      );
    }
  }
  return warnings;
}

const EVERY_ADDRESS: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);
const SERVICES = { dns: dnsConfig, syslog: syslogConfig, ntp: ntpConfig } as const;

/** What is announced should be what this file's service listens on, by the word of that service and of no other. */
function vipWarnings(document: SiteDocument, { service, prefix, check: asked }: Announced): string[] {
  const name = Object.keys(SERVICES).find((known) => known === service) as keyof typeof SERVICES | undefined;
  if (name === undefined) return [];
  if (!document.has(name)) {
    return [`announcer.vips: "${name}" is announced, but this file has no section ${name}; does another file run it?`];
  }
  const { listen, health } = SERVICES[name](document);
  const warnings: string[] = [];
  const own = formatEndpoint(health);
  for (const lease of leasesIn(asked)) {
    if (lease.host !== own && !(EVERY_ADDRESS.has(health.address) && Number(lease.port) === health.port)) {
      warnings.push(`announcer.vips: "${name}" takes its lease from ${lease.host}, but ${name}.health is ${own}`);
    }
  }
  if (!listen.some(({ address }) => address === prefix.address || EVERY_ADDRESS.has(address))) {
    warnings.push(`announcer.vips: ${prefix.address} is announced for ${name}, but ${name}.listen has no such address`);
  }
  return warnings;
}
