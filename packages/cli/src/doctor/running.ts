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

/** A detection time below this is shorter than what a thread among others was seen to wait on a full machine. */
const ENDANGERED_MS = 500;

function peerFindings(peer: PeerStatus): string[] {
  return [...sessionFindings(peer), ...bfdFindings(peer)];
}

function bfdFindings({ address, bfd }: PeerStatus): string[] {
  const { detectionTime, precedence } = bfd ?? {};
  if (detectionTime === undefined || detectionTime >= ENDANGERED_MS || precedence === "realtime") return [];
  return [
    `BFD with ${address} notices silence within ${detectionTime} ms, and its thread does not go before others: on a busy machine sessions may be lost; give the announcer CAP_SYS_NICE`,
  ];
}

function sessionFindings({ address, session, advice }: PeerStatus): string[] {
  if (advice !== "") return [`peer ${address} is ${session.state}: ${advice}`];
  return session.state === "Established" ? [] : [`peer ${address} is ${session.state}`];
}
