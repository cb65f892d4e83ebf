// Plays `stitch` so that the lab can test its own measuring: `stitch.ts up -c FILE`, `drain dns`, `undrain dns`, `logs`, `status`.
// BIRD announces; a role's death withdraws its address at once, without drain or last resort, and a restart announces it again.
// What it loses on a planned withdrawal (some 50 ms per router) proves that the drill would see a loss of stitch's.
import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { peer } from "@stitch/peers";
import { parse } from "yaml";

const RUN = "/run/stitch";
const RESTART_MS = 500;
const ANNOUNCE_AFTER_MS = 1_000;
const CONTROL = join(RUN, "bird.ctl");

interface Site {
  readonly site: string;
  readonly announcer: {
    readonly asn: number;
    readonly routerId: string;
    readonly peers: readonly { readonly address: string; readonly asn: number; readonly nextHop: string }[];
    readonly vips: readonly { readonly prefix: string; readonly service: string }[];
  };
}

const bird = await peer("bird");
const roles = new Map<string, { child: ChildProcess | undefined; restarts: number }>();

function birdConfig({ announcer }: Site): string {
  const vips = announcer.vips.map(({ prefix, service }) => {
    const six = prefix.includes(":");
    return `protocol static vip_${service}${six ? "_six" : ""} { ipv${six ? 6 : 4}; route ${prefix} blackhole; }`;
  });
  const peers = announcer.peers.map(
    ({
      address,
      asn,
      nextHop,
    }) => `protocol bgp { local as ${announcer.asn}; neighbor ${address} as ${asn}; hold time 9;
  connect retry time 1; connect delay time 1; error wait time 1,4;
  ipv4 { import all; export where source = RTS_STATIC; next hop self; };
  ipv6 { import all; export where source = RTS_STATIC; next hop address ${nextHop}; }; }`,
  );
  return [`router id ${announcer.routerId};`, "protocol device { }", ...vips, ...peers, ""].join("\n");
}

function birdc(command: string): void {
  spawn(bird.program("birdc"), ["-s", CONTROL, command], { env: { ...process.env, ...bird.env }, stdio: "ignore" });
}

/** As `stitch status --json` says it: `none` for an address that BIRD does not announce. */
async function vipStatus(): Promise<readonly { service: string; wish: string }[]> {
  const child = spawn(bird.program("birdc"), ["-s", CONTROL, "show", "protocols"], {
    env: { ...process.env, ...bird.env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  for await (const chunk of child.stdout) text += String(chunk);
  const states = [...text.matchAll(/^vip_(\w+)\s+Static\s+\S+\s+(\w+)/gm)];
  return states.map(([, service = "", state]) => ({ service, wish: state === "up" ? "normal" : "none" }));
}

function run(name: string, file: string, args: readonly string[]): void {
  const role = roles.get(name) ?? { child: undefined, restarts: -1 };
  roles.set(name, role);
  role.restarts++;
  role.child = spawn(file, args, { stdio: "inherit", env: { ...process.env, ...bird.env } });
  note();
  if (name !== "announcer" && role.restarts > 0) setTimeout(() => birdc(`enable "vip_${name}*"`), ANNOUNCE_AFTER_MS);
  role.child.on("exit", () => {
    if (name !== "announcer") birdc(`disable "vip_${name}*"`);
    setTimeout(() => run(name, file, args), RESTART_MS);
  });
}

function note(): void {
  const status = Object.fromEntries(
    [...roles].map(([name, { child, restarts }]) => [name, { pid: child?.pid ?? null, restarts }]),
  );
  writeFileSync(join(RUN, "roles.new"), JSON.stringify(status));
  renameSync(join(RUN, "roles.new"), join(RUN, "roles.json"));
}

function up(file: string): void {
  const site = parse(readFileSync(file, "utf8")) as Site;
  mkdirSync(RUN, { recursive: true });
  writeFileSync(join(RUN, "bird.conf"), birdConfig(site));
  const role = join(import.meta.dirname, "role.ts");
  for (const name of ["dns", "syslog", "ntp"]) run(name, process.execPath, [role, name, site.site]);
  run("announcer", bird.program("bird"), ["-f", "-c", join(RUN, "bird.conf"), "-s", CONTROL]);
}

const [command = "", target = ""] = process.argv.slice(2);
if (command === "up") up(process.argv.at(-1) ?? "");
else if (command === "drain") birdc(`disable "vip_${target}*"`);
else if (command === "undrain") birdc(`enable "vip_${target}*"`);
else if (command === "logs")
  process.stdout.write(readFileSync("/var/lib/stitch/log", { encoding: "utf8", flag: "a+" }));
else if (command === "status") process.stdout.write(`${JSON.stringify({ vips: await vipStatus() })}\n`);
