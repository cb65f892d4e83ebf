import type { SiteDocument } from "@stitch/config";
import { ROLES, type Role } from "../site.ts";
import { UsageError } from "../usage.ts";

/** Each role is loaded only when it runs: a DNS container has no business parsing the announcer. */
const MAINS: Readonly<Record<Role, () => Promise<{ main(document: SiteDocument): Promise<number> }>>> = {
  dns: () => import("@stitch/dns-resolver/main"),
  syslog: () => import("@stitch/syslog-collector/main"),
  ntp: () => import("@stitch/sntp-responder/main"),
  announcer: () => import("@stitch/announcer/main"),
};

/** One role in this process, until it is told to stop. Only the announcer has a dry run. Throws UsageError. */
export async function run(name: string, document: SiteDocument, dryRun: boolean): Promise<number> {
  const role = ROLES.find((candidate) => candidate === name);
  if (role === undefined) throw new UsageError(`no such role: ${name}; there are ${ROLES.join(", ")}`);
  if (dryRun && role !== "announcer") throw new UsageError(`stitch run ${role} has no --dry-run; the announcer has`);
  stopWithSupervisor();
  if (dryRun) return (await import("@stitch/announcer/main")).main(document, { dryRun });
  const { main } = await MAINS[role]();
  return main(document);
}

/**
 * A role started by `stitch up` has a channel to it; when that closes, the supervisor is gone and so must we be. It may
 * have closed while our modules were being loaded, with nobody to hear it.
 */
function stopWithSupervisor(): void {
  if (process.connected === undefined) return;
  if (!process.connected) return stopSelf();
  process.on("disconnect", stopSelf);
  process.channel?.unref();
}

function stopSelf(): void {
  process.kill(process.pid, "SIGTERM");
}
