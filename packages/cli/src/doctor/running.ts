import type { AnnouncerStatus, PeerStatus, VipStatus } from "@stitch/announcer";

/** What a running announcer has found: on this machine, at its routers, and of the effect of its routes. */
export function runningFindings({ vips, peers, alarms, kernel }: AnnouncerStatus): string[] {
  return [
    ...vips.flatMap(vipFindings),
    ...peers.flatMap(peerFindings),
    ...(kernel === undefined || kernel.failure === ""
      ? []
      : [`the kernel's tables cannot be kept in step: ${kernel.failure}`]),
    ...alarms.map(({ code, subject, detail }) => `alarm ${code} (${subject}): ${detail}`),
  ];
}

function vipFindings({ prefix, service, addressMissing }: VipStatus): string[] {
  if (!addressMissing) return [];
  const [address = ""] = prefix.split("/");
  return [
    `${address} (${service}) is not an address of this machine, so it is not announced: add it to lo (ip address add ${prefix} dev lo)`,
  ];
}

function peerFindings({ address, session, advice }: PeerStatus): string[] {
  if (advice !== "") return [`peer ${address} is ${session.state}: ${advice}`];
  return session.state === "Established" ? [] : [`peer ${address} is ${session.state}`];
}
