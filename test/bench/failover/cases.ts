import { type Duration, milliseconds, seconds } from "@stitch/clock";
import { firstClose, type CapturedPacket, type Nanoseconds } from "@stitch/lab";
import { SPEAKER } from "../../interop/bgp/wire.ts";
import { changedUpdate } from "./changed-update.ts";
import { type Part, type Started, strike } from "./contender.ts";

export const CASES = [
  "service killed",
  "service hung",
  "checker hung",
  "announcer killed",
  "host silent",
  "drain",
] as const;
export type CaseName = (typeof CASES)[number];

export interface Case {
  readonly what: string;
  /** Answers the time just before. */
  strike(started: Started, cut: () => Promise<Nanoseconds>): Promise<Nanoseconds>;
  /** What of the router's being told is on the wire; undefined: nothing can be. */
  readonly told?: (packets: readonly CapturedPacket[], since: Nanoseconds) => Nanoseconds | undefined;
  /** How long the route is watched. */
  readonly patience: Duration;
}

const update: Case["told"] = (packets, since) => changedUpdate(packets, SPEAKER.address, since);
const close: Case["told"] = (packets, since) => firstClose(packets, SPEAKER.address, since);

export const FAULTS: Readonly<Record<CaseName, Case>> = {
  "service killed": {
    what: "kill -9 of the DNS role",
    strike: at("service", "SIGKILL"),
    told: update,
    patience: seconds(40),
  },
  "service hung": {
    what: "SIGSTOP of the DNS role",
    strike: at("service", "SIGSTOP"),
    told: update,
    patience: seconds(60),
  },
  "checker hung": {
    what: "SIGSTOP of what checks (ours: the announcer itself), then kill -9 of the DNS role; time from the latter",
    strike: async (started) => {
      strike(started.pid("checker"), "SIGSTOP");
      return strike(started.pid("service"), "SIGKILL");
    },
    patience: seconds(40),
  },
  "announcer killed": {
    what: "kill -9 of the announcer, of ExaBGP; on the wire is the end of TCP",
    strike: at("announcer", "SIGKILL"),
    told: close,
    patience: seconds(40),
  },
  "host silent": {
    what: "every packet of the host dropped, both ways, the link up",
    strike: (_started, cut) => cut(),
    patience: seconds(220),
  },
  drain: {
    what: "`stitch drain dns`, the healthcheck's disable file; a second origin stands by",
    strike: async (started) => {
      const time = process.hrtime.bigint() as Nanoseconds;
      await started.drain();
      return time;
    },
    told: update,
    patience: seconds(40),
  },
};

/** A client's queries in a drain: one each millisecond. */
export const DRAIN_QUERIES = 20_000;
/** Between the route and the fault, beyond the phase of the contender's interval. */
export const CALM: Duration = milliseconds(500);

function at(part: Part, signal: NodeJS.Signals): Case["strike"] {
  return (started) => Promise.resolve(strike(started.pid(part), signal));
}
