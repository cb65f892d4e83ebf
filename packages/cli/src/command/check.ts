import { announcerConfig, type AnnouncerConfig, type AnnouncerStatus, leasesIn } from "@stitch/announcer";
import { seconds, type Duration } from "@stitch/clock";
import type { SiteDocument } from "@stitch/config";
import { dnsConfig } from "@stitch/dns-resolver";
import { formatEndpoint } from "@stitch/linux-io";
import { ntpConfig } from "@stitch/sntp-responder";
import { syslogConfig } from "@stitch/syslog-collector";
import { ask } from "../control-client.ts";
import { fileWarnings } from "../doctor/files.ts";
import { listenerWarnings } from "../doctor/listeners.ts";
import { peerWarnings } from "../doctor/peers.ts";
import { runningFindings } from "../doctor/running.ts";
import { sharedFate } from "../doctor/shared-fate.ts";
import { loadChecked, rolesOf } from "../site.ts";
import { CommandError } from "../usage.ts";
import type { OperateContext } from "./operate.ts";

/** Whether there is an announcer to ask is found out at once, or not at all. */
const PATIENCE: Duration = seconds(2);

/**
 * Validates the whole file, and asks the announcer where one runs by it. Errors are thrown (exit code 2); what is merely
 * unwise is printed, and is no failure.
 */
export async function check({ file, json, print }: OperateContext): Promise<number> {
  const document = loadChecked(file);
  const roles = rolesOf(document);
  const announced = document.has("announcer") ? announcerWarnings(document) : [];
  const warnings = [...announced, ...listenerWarnings(document), ...(await fileWarnings(document))];
  const findings = document.has("announcer") ? await running(document) : undefined;
  if (json) {
    print(JSON.stringify({ file, site: document.site, instance: document.instance, roles, warnings, findings }));
    return 0;
  }
  for (const warning of warnings) print(`warning: ${warning}`);
  for (const finding of findings ?? []) print(`found: ${finding}`);
  print(
    `${file}: site ${document.site}, instance ${document.instance}, ${roles.length === 0 ? "no role" : roles.join(", ")}: good`,
  );
  return 0;
}

/** What the announcer of this file has found; undefined where none runs, as on the machine where files are written. */
async function running(document: SiteDocument): Promise<string[] | undefined> {
  const { control } = announcerConfig(document);
  try {
    return runningFindings(await ask<AnnouncerStatus>(control, "GET", "/status", undefined, PATIENCE));
  } catch (failure) {
    if (failure instanceof CommandError) return undefined;
    throw failure;
  }
}

type Announced = AnnouncerConfig["vips"][number];

function announcerWarnings(document: SiteDocument): string[] {
  const config = announcerConfig(document);
  return [...peerWarnings(config), ...config.vips.flatMap((vip) => vipWarnings(document, vip)), ...sharedFate(config)];
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
