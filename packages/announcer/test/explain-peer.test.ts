import type { NotificationView, SessionStatus } from "@stitch/bgp-speaker";
import { seconds } from "@stitch/clock";
import { beforeEach, describe, expect, test } from "vitest";
import { explainPeer } from "../src/explain-peer.ts";
import { explain } from "../src/explain.ts";
import { statusOf, type AnnouncerStatus, type PeerStatus } from "../src/status.ts";
import { Scenario } from "./scenario.ts";

const IDENTITY = { service: "announcer", site: "nyc", instance: "nyc-1" };
const ROUTER = "192.0.2.101";

let scenario: Scenario;

beforeEach(() => {
  scenario = new Scenario();
});

async function status(...lines: string[]): Promise<AnnouncerStatus> {
  for (const line of lines) await scenario.run(line);
  return statusOf(scenario.announcer, IDENTITY, scenario.clock, "192.0.2.1");
}

type Changed = Partial<Omit<PeerStatus, "session">> & { readonly session?: Partial<SessionStatus> };

function said(now: AnnouncerStatus, changed: Changed): string[] {
  const [peer] = now.peers;
  if (peer === undefined) throw new Error("no peer");
  const session = { ...peer.session, ...changed.session };
  return explainPeer({ ...peer, ...changed, session }, now, scenario.journal.entries);
}

describe("explain tells of a router", () => {
  test("that is not there: why, what to look at, and what it said last", async () => {
    const last: NotificationView = {
      direction: "received",
      code: 6,
      subcode: 2,
      name: "Cease/Administrative Shutdown",
      text: "CHG-7",
    };
    const lines = said(await status(), {
      advice: "no answer to the connection request",
      session: { state: "Connect", reason: "tcp-timeout", detail: "no answer", lastNotification: last },
    });
    expect(lines).toEqual([
      `Peer ${ROUTER} port 179 (AS 65001) is Connect (tcp-timeout: no answer).`,
      "Look at this: no answer to the connection request.",
      'The router\'s last NOTIFICATION was Cease/Administrative Shutdown, "CHG-7".',
      "It hears nothing of us, and uses none of our routes.",
    ]);
  });

  test("that is there: what it has heard, cannot be sent, and knows from elsewhere", async () => {
    const now = await status("peer 1 up", "report dns serving pass", "renew dns 3", "path 1 dns other");
    const lines = said(now, {
      announced: ["10.10.10.53/32"],
      bfd: { state: "Up", reason: undefined, detectionTime: 900, problem: "", precedence: "realtime" },
      session: {
        state: "Established",
        holdTime: seconds(9),
        unsendable: [{ prefix: "fd00::53/128", reason: "no-next-hop" }],
      },
    });
    expect(lines.slice(0, 5)).toEqual([
      `Peer ${ROUTER} port 179 (AS 65001) is Established: a silent router is noticed within 9.0 s.`,
      "It has heard 10.10.10.53/32.",
      "It cannot be sent fd00::53/128: no-next-hop.",
      "It has a path for 10.10.10.53/32 from elsewhere: AS path 65001 65102.",
      "BFD is Up; a lost path is noticed within 900 ms.",
    ]);
  });

  test("what became of its session, the newest first, and of no other's", async () => {
    const now = await status("peer 1 up", "peer 2 up", "wait 1s", "peer 1 down");
    const history = said(now, {}).filter((line) => line.startsWith("2026-"));
    expect(history).toHaveLength(2);
    expect(history[0]).toMatch(/^2026-.* Established -> Idle/);
    expect(history[1]).toMatch(/ -> Established/);
  });

  test("its alarms, alone or with a VIP, and not those of another", async () => {
    const alarm = { since: "2026-01-01T00:00:00Z", detail: "x" };
    const alarms = [`10.10.10.53/32 at ${ROUTER}`, ROUTER, `${ROUTER}1`, "10.10.10.53/32"].map((subject) => ({
      ...alarm,
      code: "router-silent" as const,
      subject,
    }));
    const now = { ...(await status()), alarms };
    expect(said(now, {}).filter((line) => line.startsWith("Alarm"))).toEqual([
      `Alarm router-silent (10.10.10.53/32 at ${ROUTER}) since 2026-01-01T00:00:00Z: x.`,
      `Alarm router-silent (${ROUTER}) since 2026-01-01T00:00:00Z: x.`,
    ]);
  });
});

test("in a dry run nothing is said of routers, and a VIP's story begins with that", async () => {
  const now = { ...(await status("report dns serving pass", "renew dns 3")), dryRun: true };
  const [dns] = now.vips;
  if (dns === undefined) throw new Error("no VIP");
  expect(said(now, {})).toEqual([expect.stringMatching(/^This is a dry run/)]);
  const lines = explain(dns, now, []);
  expect(lines[0]).toMatch(/^This is a dry run: no router hears/);
  expect(lines.filter((line) => line.startsWith("Peer"))).toEqual([]);
});
