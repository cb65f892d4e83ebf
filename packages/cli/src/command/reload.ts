import { announcerConfig } from "@stitch/announcer";
import { seconds, type Duration } from "@stitch/clock";
import { SiteDocument } from "@stitch/config";
import { dnsConfig, localPath } from "@stitch/dns-resolver";
import { ask } from "../control-client.ts";
import { CommandError, UsageError } from "../usage.ts";
import type { OperateContext } from "./operate.ts";

/** A list of a million names takes seconds to read. */
const RELOAD_LIMIT: Duration = seconds(60);

interface Accepted {
  readonly kind: "accepted";
  readonly changes: readonly string[];
}

/** The running roles read their own file again, which -c must name: there their control sockets are found. */
export async function reload({ file, json, print }: OperateContext): Promise<number> {
  const done: Record<string, Accepted> = {};
  const refused: string[] = [];
  const controls = controlsOf(SiteDocument.load(file));
  const named = (role: string, text: string): string => (controls.length > 1 ? `${role}: ${text}` : text);
  for (const [role, path] of controls) {
    try {
      done[role] = await ask<Accepted>(path, "POST", "/reload", {}, RELOAD_LIMIT, role);
    } catch (failure) {
      if (!(failure instanceof CommandError)) throw failure;
      refused.push(named(role, failure.message));
    }
  }
  if (json) print(JSON.stringify(done));
  else
    for (const [role, { changes }] of Object.entries(done))
      for (const change of changes.length === 0 ? ["nothing has changed"] : changes) print(named(role, change));
  if (refused.length > 0) throw new CommandError(refused.join("\n"));
  return 0;
}

/** The sockets that are set; without one, a role hears SIGHUP alone. */
function controlsOf(document: SiteDocument): [string, string][] {
  const controls: [string, string][] = [];
  const dns = document.has("dns") ? dnsConfig(document).control : undefined;
  if (dns !== undefined) controls.push(["resolver", localPath(document, dns)]);
  if (document.has("announcer")) controls.push(["announcer", announcerConfig(document).control]);
  if (controls.length > 0) return controls;
  throw new UsageError(`${document.file} has no control socket: set dns.control, or send the process SIGHUP`);
}
