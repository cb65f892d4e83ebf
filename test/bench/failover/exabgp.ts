import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { type Duration, milliseconds, seconds } from "@stitch/clock";
import { type Peer, peer } from "@stitch/peers";
import { compile } from "../compile.ts";
import { eventually, ROUTER, SPEAKER, transcript, type Wire } from "../../interop/bgp/wire.ts";
import { type Contender, ended, pidOf, type Started } from "./contender.ts";
import { type Network, VIP } from "./network.ts";
import { NAME, Site } from "./service.ts";

interface Tuning {
  /** Options of `exabgp healthcheck` beyond what the bench needs; the rest is as shipped. */
  readonly options: readonly string[];
  /** s; undefined: as shipped. */
  readonly holdTime?: number;
  /** How long its check command waits for an answer. */
  readonly patience: Duration;
}

const WITHDRAW = "withdraw-on-down";

/** As shipped, but for `--withdraw-on-down`: without it a dead service keeps its route, with another MED. */
export const DEFAULTS: Contender = {
  name: "exabgp",
  settings:
    "as shipped (interval 5 s, fast 1 s, rise 3, fall 3, hold 180 s) and --withdraw-on-down; checked by probe.c, which waits 1 s",
  interval: seconds(5),
  start: (network) => start(network, { options: [WITHDRAW], patience: seconds(1) }),
};

/** Our intervals: a look each 100 ms, half a second of patience, and no second look, as a lost lease has none. */
export const TUNED: Contender = {
  name: "exabgp, tuned",
  settings:
    "interval and fast 100 ms, rise 3, fall 1, hold 9 s and --withdraw-on-down; checked by probe.c, which waits 500 ms",
  interval: milliseconds(100),
  start: (network) =>
    start(network, {
      options: [WITHDRAW, "interval = 0.1", "fast-interval = 0.1", "rise = 3", "fall = 1"],
      holdTime: 9,
      patience: milliseconds(500),
    }),
};

let probeProgram: Promise<string> | undefined;

async function start({ wire }: Network, tuning: Tuning): Promise<Started> {
  const found = await peer("exabgp");
  const plan = { site: "one", namespace: wire.host, address: SPEAKER.address, router: ROUTER, asn: SPEAKER.asn };
  const service = (await Site.write(wire, plan)).run("dns");
  const disable = wire.file(`disable-${process.hrtime.bigint()}`);
  const probe = `${await (probeProgram ??= compile("failover/probe.c", "dns-probe"))} ${VIP} ${NAME} ${tuning.patience}`;
  await writeFile(wire.file("healthcheck.conf"), healthcheck(probe, disable, tuning.options));
  await writeFile(wire.file("exabgp.conf"), exabgp(found, wire, tuning.holdTime));
  const settings = ["exabgp.daemon.user=root", "exabgp.api.cli=false", "exabgp.log.destination=stdout"];
  const argv = ["env", ...settings, found.program("exabgp"), wire.file("exabgp.conf")];
  const announcer = wire.start(wire.host, argv, found.env);
  const output = transcript(announcer);
  const checker = await eventually("exabgp starts its healthcheck", 20_000, () => checkerOf(pidOf(announcer))).catch(
    (late: unknown) => {
      throw new Error(`${String(late)}\n${output()}`);
    },
  );
  const pids = { service: pidOf(service), announcer: pidOf(announcer), checker };
  return {
    pid: (part) => pids[part],
    ready: () => Promise.resolve(),
    drain: () => writeFile(disable, ""),
    stop: async () => {
      await ended(announcer);
      killChecker(checker);
      await ended(service);
    },
  };
}

function healthcheck(probe: string, disable: string, options: readonly string[]): string {
  const own = ["no-syslog", `command = ${probe}`, `ip = ${VIP}/32`, "no-ip-setup", `disable = ${disable}`];
  return `${[...own, ...options].join("\n")}\n`;
}

function exabgp(found: Peer, wire: Wire, holdTime: number | undefined): string {
  const program = found.path("usr/bin/exabgp-healthcheck");
  return `process watch { run ${program} --config ${wire.file("healthcheck.conf")}; encoder text; }
neighbor ${ROUTER.address} {
  router-id ${SPEAKER.routerId}; local-address ${SPEAKER.address}; local-as ${SPEAKER.asn}; peer-as ${ROUTER.asn};
  ${holdTime === undefined ? "" : `hold-time ${holdTime};`}
  family { ipv4 unicast; }
  api { processes [ watch ]; }
}
`;
}

/** Among what ExaBGP has started, once it is what it is to become. */
function checkerOf(announcer: number): number | undefined {
  const children = readFileSync(`/proc/${announcer}/task/${announcer}/children`, "utf8").trim().split(" ");
  return children.map(Number).find(isChecker);
}

function isChecker(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("exabgp-healthcheck");
  } catch {
    return false; // it has ended before
  }
}

/** The healthcheck outlives its parent only where it was stopped; a number that is another's by now is let alone. */
function killChecker(pid: number): void {
  if (isChecker(pid)) process.kill(pid, "SIGKILL");
}
