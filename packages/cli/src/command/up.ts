import { dirname } from "node:path";
import { announcerConfig } from "@stitch/announcer";
import { SystemClock } from "@stitch/clock";
import type { SiteDocument } from "@stitch/config";
import { EXIT, STOP_LIMIT, stopWished } from "@stitch/health";
import { forwardUpstreams } from "../loopback/forward.ts";
import { requireLoopbackAddresses } from "../loopback/preflight.ts";
import { RouteMonitor } from "../loopback/route-monitor.ts";
import { LOOPBACK, writeLoopbackSite } from "../loopback/site.ts";
import { STITCH } from "../program.ts";
import { loadChecked, loopbackDirectory, rolesOf } from "../site.ts";
import { logText } from "../supervisor/console.ts";
import type { RoleChange } from "../supervisor/role-process.ts";
import { Supervisor, type RoleSpec } from "../supervisor/supervisor.ts";
import { UsageError } from "../usage.ts";

export interface UpOptions {
  readonly file: string | undefined;
  readonly forward: string | undefined;
  readonly json: boolean;
  readonly env: NodeJS.ProcessEnv;
  readonly print: (text: string) => void;
}

/** The whole site under one supervisor, until SIGTERM or SIGINT. */
export async function up({ file, forward, json, env, print }: UpOptions): Promise<number> {
  if (file !== undefined) {
    if (forward !== undefined) throw new UsageError("--forward is for the built-in site; with -c FILE use dns.routes");
    return supervise(loadChecked(file), file, [], json, print);
  }
  const upstreams = forwardUpstreams(forward);
  await requireLoopbackAddresses(process.platform);
  // First of all, and alone: it fails when another built-in site is up, whose files must not be written over.
  const monitor = await startMonitor(print);
  const files = writeLoopbackSite(loopbackDirectory(env), upstreams);
  print(welcome(files.site));
  const corp: RoleSpec = { name: "corp-dns", argv: [STITCH, "run", "dns", "-c", files.corp], wave: 2 };
  try {
    return await supervise(loadChecked(files.site), files.site, [corp], json, print);
  } finally {
    await monitor.close();
  }
}

async function startMonitor(print: (text: string) => void): Promise<RouteMonitor> {
  const { address, port } = LOOPBACK.monitor;
  const monitor = new RouteMonitor(new SystemClock(), Math.random, (text) =>
    print(`${"router".padEnd(9)} ${time()} ${text}`),
  );
  try {
    await monitor.start();
    return monitor;
  } catch (failure) {
    const { code = "unknown" } = failure as NodeJS.ErrnoException;
    throw new UsageError(`cannot bind tcp ${address}:${port} (${code}); is another built-in site up?`);
  }
}

async function supervise(
  document: SiteDocument,
  file: string,
  more: readonly RoleSpec[],
  json: boolean,
  print: (text: string) => void,
): Promise<number> {
  const roles = rolesOf(document);
  if (roles.length === 0)
    throw new UsageError(`${file} describes no role: add a dns, syslog, ntp or announcer section`);
  const clock = new SystemClock();
  const stop = stopWished(clock);
  let unusable: ((role: string) => void) | undefined;
  const somethingUnusable = new Promise<string>((resolve) => void (unusable = resolve));
  const supervisor = new Supervisor({
    roles: [...roles.map((role) => spec(role, file)), ...more],
    clock,
    runDirectory: runDirectory(document, file),
    stopLimit: STOP_LIMIT,
    onLine: (role, line) => print(json ? line : logText(role, line)),
    onChange: (role, change) => {
      if (!json) print(`${role.padEnd(9)} ${time()} ${changeText(change)}`);
      if (change.kind === "unusable") unusable?.(role);
    },
  });
  supervisor.start();
  const ended = await Promise.race([stop, somethingUnusable]);
  if (!json && ended === undefined) print("stopping: routes first, then services (again to stop at once)");
  await supervisor.stop();
  return ended === undefined ? EXIT.stopped : EXIT.unusable;
}

/** The announcer stops after the services (their routes leave through it); helpers of the demo stop last. */
function spec(role: string, file: string): RoleSpec {
  return { name: role, argv: [STITCH, "run", role, "-c", file], wave: role === "announcer" ? 1 : 0 };
}

function runDirectory(document: SiteDocument, file: string): string {
  return dirname(document.has("announcer") ? announcerConfig(document).control : file);
}

function changeText(change: RoleChange): string {
  switch (change.kind) {
    case "started":
      return `started, pid ${change.pid}`;
    case "unusable":
      return "cannot run as configured (see above); stopping everything";
    case "exited": {
      const how = howItEnded(change);
      return change.restartIn === undefined ? how : `${how}; restarting in ${change.restartIn} ms`;
    }
  }
}

function howItEnded({ code, signal }: { readonly code: number | null; readonly signal: string | null }): string {
  if (signal !== null) return `killed by ${signal}`;
  return code === null ? "not started" : `exited with ${code}`;
}

function time(): string {
  return Temporal.Now.instant().toString({ fractionalSecondDigits: 3 }).slice(11, 23);
}

function welcome(file: string): string {
  const { dns, syslog, ntp } = LOOPBACK;
  return `A Stitch site on loopback (${file}).

  Try, in another terminal:
    dig @${dns.address} -p ${dns.port} +nsid www.stitch.test          local zone; NSID says which site answered
    dig @${dns.address} -p ${dns.port} intranet.corp.stitch.test      forwarded once, then from the cache
    logger -n ${syslog.address} -P ${syslog.port} -d "hello from $(hostname)"
    npx stitch logs -f
    npx stitch try                                               the same without dig, logger or an NTP client
    npx stitch status; npx stitch explain dns
    kill -9 PID-OF-dns                                           watch its route go, and come back
    npx stitch drain dns; npx stitch undrain dns
  Time is served on ${ntp.address}:${ntp.port}. Lines that begin with "router" are what a BGP peer hears. Ctrl-C stops.
`;
}
