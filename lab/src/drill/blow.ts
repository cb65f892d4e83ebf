import { firstClose, firstLinkStateUpdate, firstUpdate } from "../sighting.ts";
import type { CapturedPacket, Lab, LabProcess, Nanoseconds } from "../lab.ts";
import type { Variant } from "../variant.ts";
import type { Blow } from "./failover.ts";
import { NYC } from "./plan.ts";

type Told = Pick<Blow, "filter" | "told">;

/** A withdrawal on the wire, by the protocol between host and router. */
const WITHDRAWAL: Readonly<Record<"bgp" | "ospf", Told>> = {
  bgp: { filter: "tcp port 179", told: (packets, since) => firstUpdate(packets, NYC.hostAddress, since) },
  ospf: { filter: "ip proto 89", told: (packets, since) => firstLinkStateUpdate(packets, NYC.hostAddress, since) },
};
const PROTOCOL: Readonly<Record<Variant, keyof typeof WITHDRAWAL>> = {
  anycast: "bgp",
  ospf: "ospf",
  ecmp: "bgp",
  three: "bgp",
};

export function withdrawal(variant: Variant): Told {
  return WITHDRAWAL[PROTOCOL[variant]];
}

/** kill -9 of the resolver: the announcer has to notice and withdraw. */
export function killed(variant: Variant): Blow {
  return { what: "dns", ...withdrawal(variant), strike: (lab) => lab.signal(NYC.host, ["dns"], "SIGKILL") };
}

/** SIGSTOP of the resolver: it still holds its sockets and says nothing. */
export function hung(variant: Variant): Blow {
  return {
    what: "dns stopped",
    ...withdrawal(variant),
    strike: (lab) => lab.signal(NYC.host, ["dns"], "SIGSTOP"),
    heal: async (lab) => void (await lab.signal(NYC.host, ["dns"], "SIGCONT")),
  };
}

/** What the network needs by itself, however quick the announcer: resolver dead and route gone in the same moment. */
export function floor(variant: Variant): Blow {
  return PROTOCOL[variant] === "bgp" ? sessionEnds() : handRemoves(variant);
}

/** BGP: with the announcer its session dies, which the router sees at once. */
function sessionEnds(): Blow {
  return {
    what: "dns + announcer (floor)",
    filter: WITHDRAWAL.bgp.filter,
    told: (packets: readonly CapturedPacket[], since: Nanoseconds) => firstClose(packets, NYC.hostAddress, since),
    strike: (lab) => lab.signal(NYC.host, ["dns", "announcer"], "SIGKILL"),
  };
}

/** A kernel route outlives processes: a shell that waits with its hand on it removes it. */
function handRemoves(variant: Variant): Blow {
  let hand: LabProcess | undefined;
  return {
    what: "dns + route (floor)",
    ...withdrawal(variant),
    prepare: async (lab: Lab) => {
      const remove = "echo ready; cat >/dev/null; ip route flush table main proto 199";
      hand = lab.spawn(NYC.host, ["sh", "-c", remove]);
      await hand.line();
    },
    strike: async (lab: Lab) => {
      const struck = await lab.signal(NYC.host, ["dns"], "SIGKILL");
      hand?.finish();
      return struck;
    },
  };
}
