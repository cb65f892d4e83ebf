import type { AnnouncerStatus, JournalEntry, KernelStatus, PeerStatus, VipStatus } from "@stitch/announcer";
import { announcerConfig, controlOfDryRun } from "@stitch/announcer";
import { formatDuration, type Duration } from "@stitch/clock";
import { SiteDocument } from "@stitch/config";
import { ask, follow } from "../control-client.ts";
import { decisionText } from "../supervisor/console.ts";
import { table } from "../table.ts";

/** What the commands that speak to a running announcer share. */
export interface OperateContext {
  readonly file: string;
  readonly json: boolean;
  readonly print: (text: string) => void;
  /** Speak to the announcer's dry run. */
  readonly dryRun?: boolean;
}

export async function status(context: OperateContext): Promise<number> {
  const { json, print } = context;
  const now = await ask<AnnouncerStatus>(controlOf(context), "GET", "/status");
  print(json ? JSON.stringify(now) : statusText(now));
  return 0;
}

export async function explain(context: OperateContext, target: string): Promise<number> {
  const { json, print } = context;
  const all = await ask<string[][]>(controlOf(context), "GET", `/explain?target=${encodeURIComponent(target)}`);
  print(json ? JSON.stringify(all) : all.map((lines) => lines.join("\n")).join("\n\n"));
  return 0;
}

/** Prints decisions until interrupted. */
export async function watch(context: OperateContext): Promise<number> {
  const { json, print } = context;
  for await (const line of follow(controlOf(context))) {
    print(json ? line : decisionText(JSON.parse(line) as JournalEntry));
  }
  return 0;
}

export async function drain(
  context: OperateContext,
  target: string,
  options: { readonly reason: string; readonly forced: boolean; readonly for: string | undefined },
): Promise<number> {
  const { reason, forced } = options;
  const body = { target, reason, forced, ...(options.for === undefined ? {} : { for: options.for }) };
  return printVips(context, await ask<VipStatus[]>(controlOf(context), "POST", "/drain", body));
}

export async function undrain(context: OperateContext, target: string, reason: string): Promise<number> {
  return printVips(context, await ask<VipStatus[]>(controlOf(context), "POST", "/undrain", { target, reason }));
}

function printVips({ json, print }: OperateContext, vips: readonly VipStatus[]): number {
  print(json ? JSON.stringify(vips) : vipTable(vips));
  return 0;
}

function controlOf({ file, dryRun }: Pick<OperateContext, "file" | "dryRun">): string {
  const config = announcerConfig(SiteDocument.load(file));
  return dryRun === true ? controlOfDryRun(config) : config.control;
}

export function statusText({ site, instance, asn, vips, peers, kernel, alarms, dryRun }: AnnouncerStatus): string {
  const speakers = [
    ...(peers.length > 0 ? [peerTable(peers)] : []),
    ...(kernel === undefined ? [] : [kernelText(kernel)]),
  ];
  const advised = peers
    .filter(({ advice }) => advice !== "")
    .map(({ address, port, advice }) => `LOOK AT ${address}:${port}: ${advice}`);
  const ringing = alarms.map(({ code, subject, detail }) => `ALARM ${code} (${subject}): ${detail}`);
  const title = `${site}/${instance}  AS ${asn}${dryRun ? "  DRY RUN: nothing is announced, ROUTE is what would be" : ""}`;
  return [title, vipTable(vips), ...speakers, ...advised, ...ringing].join("\n\n");
}

function kernelText({ protocol, announced, failure, watched }: KernelStatus): string {
  const health = [...(failure === "" ? [] : [failure]), ...(watched ? [] : ["no watchdog runs"])];
  const row = [`proto ${protocol}`, announced.join(" "), health.join("; ")];
  return table([["KERNEL", "HAS THE ROUTES", "BECAUSE"], row]);
}

const ROUTE = { normal: "announced", "last-resort": "last resort", none: "withdrawn" } as const;

function vipTable(vips: readonly VipStatus[]): string {
  const rows = vips.map((vip) => [
    vip.service,
    vip.prefix,
    ROUTE[vip.wish],
    vip.state,
    vip.verdict,
    age(vip.age),
    note(vip),
  ]);
  return table([["SERVICE", "VIP", "ROUTE", "STATE", "VERDICT", "SINCE", "BECAUSE"], ...rows]);
}

/** Every cause that holds now: a drain does not hide that the service behind it is dead, nor the reverse. */
export function note(vip: VipStatus): string {
  const { drain: drained, report, heard, lastLoss, holdDownLeft, addressMissing, prefix } = vip;
  const causes: string[] = [];
  if (addressMissing) causes.push(`${prefix} is not an address of this machine`);
  if (drained !== undefined) causes.push(drainText(drained));
  for (const { code, detail } of report?.reasons ?? []) causes.push(detail === "" ? code : `${code}: ${detail}`);
  if (report?.phase === "starting") causes.push("the service is starting");
  if (!heard) causes.push("the check has not come to a result yet");
  else if (lastLoss !== "") causes.push(`the check fails: ${lastLoss}`);
  if (holdDownLeft > 0) causes.push(`hold-down for ${age(holdDownLeft)}`);
  return causes.join("; ");
}

function drainText({ by, reason, returnsIn, detail }: NonNullable<VipStatus["drain"]>): string {
  const why = reason === "" ? "" : `: ${reason}`;
  const until = returnsIn === undefined ? "" : `, returns in ${age(returnsIn)}`;
  return `drain by ${by}${why}${until}${detail === "" ? "" : ` (${detail})`}`;
}

function peerTable(peers: readonly PeerStatus[]): string {
  const rows = peers.map(({ address, port, asn, announced, session }) => [
    `${address}:${port}`,
    String(asn),
    session.state,
    announced.join(" "),
    obstacles(session),
  ]);
  return table([["PEER", "AS", "SESSION", "HAS HEARD", "BECAUSE"], ...rows]);
}

function obstacles({ state, reason, detail, unsendable }: PeerStatus["session"]): string {
  if (state !== "Established") return `${reason ?? ""} ${detail}`.trim();
  return unsendable.map(({ prefix, reason: why }) => `cannot be sent ${prefix}: ${why}`).join("; ");
}

function age(ms: number): string {
  return formatDuration((ms < 1_000 ? Math.round(ms) : Math.round(ms / 1_000) * 1_000) as Duration);
}
