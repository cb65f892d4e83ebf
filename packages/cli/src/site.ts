import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { announcerConfig } from "@stitch/announcer";
import { ConfigError, SECTIONS, SiteDocument, type Problem, type SectionName } from "@stitch/config";
import { dnsConfig } from "@stitch/dns-resolver";
import { ntpConfig } from "@stitch/sntp-responder";
import { syslogConfig } from "@stitch/syslog-collector";
import { UsageError } from "./usage.ts";
import { loopbackFiles, writeLoopbackSite } from "./loopback/site.ts";

/** Where the built-in site keeps its files, socket and store. */
export function loopbackDirectory(env: NodeJS.ProcessEnv): string {
  const state = env["XDG_STATE_HOME"];
  return join(state === undefined || state === "" ? join(homedir(), ".local", "state") : state, "stitch");
}

/** The file named with -c, or that of the built-in site. `stitch run` and `check` write it when it is not there. */
export function siteFile(named: string | undefined, env: NodeJS.ProcessEnv, mayWrite: boolean): string {
  if (named !== undefined) return named;
  const directory = loopbackDirectory(env);
  const { site } = loopbackFiles(directory);
  if (existsSync(site)) return site;
  if (mayWrite) return writeLoopbackSite(directory, []).site;
  throw new UsageError(
    "the built-in site has not run here; start it with `stitch up`, or name your site's file with -c",
  );
}

const READERS = { dns: dnsConfig, syslog: syslogConfig, ntp: ntpConfig, announcer: announcerConfig } as const;

export type Role = keyof typeof READERS;
export const ROLES = Object.keys(READERS) as Role[];

/** Roles that the file describes. */
export function rolesOf(document: SiteDocument): Role[] {
  return ROLES.filter((role) => document.has(role));
}

/** Reads the file and every section in it. Throws one ConfigError with all problems of all sections. */
export function loadChecked(file: string): SiteDocument {
  const document = SiteDocument.load(file);
  const problems: Problem[] = [];
  for (const role of rolesOf(document)) {
    try {
      READERS[role](document);
    } catch (failure) {
      if (!(failure instanceof ConfigError)) throw failure;
      problems.push(...failure.problems);
    }
  }
  problems.push(...unsupported(document));
  if (problems.length > 0) throw new ConfigError(file, problems);
  return document;
}

/** Sections with a name but no role yet: refusing beats ignoring. */
function unsupported(document: SiteDocument): Problem[] {
  const known = new Set<SectionName>(ROLES);
  return SECTIONS.filter((name) => !known.has(name) && document.has(name)).map((name) =>
    document.problemAt([name], "this version has no such role; remove the section"),
  );
}
