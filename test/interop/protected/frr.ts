import type { Peer } from "@stitch/peers";
import { startFrrDaemons } from "../bgp/frr-daemons.ts";
import { ROUTER, SPEAKER, type Wire } from "../bgp/wire.ts";

/** A router that peers with a host as a careful operator has it: MD5, GTSM, BFD. */
export interface ProtectedRouter {
  hasRoute(prefix: string): Promise<boolean>;
  account(): Promise<string>;
}

/**
 * `watch` is BFD or GTSM: with `ttl-security` FRR 8.4 takes the neighbour for one several hops away and asks for
 * multihop BFD, which is another protocol (RFC 5883).
 */
export async function startProtectedFrr(
  found: Peer,
  wire: Wire,
  password: string,
  watch: "bfd" | "gtsm",
): Promise<ProtectedRouter> {
  const peer = `neighbor ${SPEAKER.address}`;
  const bgpd = `hostname router
log stdout informational
router bgp ${ROUTER.asn}
 bgp log-neighbor-changes
 bgp router-id ${ROUTER.routerId}
 no bgp ebgp-requires-policy
 ${peer} remote-as ${SPEAKER.asn}
 ${peer} password ${password}
 ${peer} ${watch === "bfd" ? "bfd 3 50 50" : "ttl-security hops 1"}
 ${peer} passive
`;
  const { vtysh, log } = await startFrrDaemons(found, wire, { bfdd: "hostname router\n", bgpd });
  return {
    hasRoute: async (prefix) => (await vtysh(`show bgp ipv4 unicast ${prefix} json`)).includes(SPEAKER.address),
    account: async () => [log(), await vtysh("show bgp neighbors"), await vtysh("show bfd peers")].join("\n"),
  };
}
