import type { ReceivedPath } from "@stitch/bgp-speaker";
import { GRACEFUL_SHUTDOWN } from "@stitch/bgp-speaker";
import { milliseconds, seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { createRegistry } from "@stitch/health";
import { beforeEach, describe, expect, test } from "vitest";
import type { Announcer } from "../src/announcer.ts";
import type { PollResult } from "../src/check/observer.ts";
import type { Clients } from "../src/decision/drain.ts";
import type { Wish } from "../src/decision/machine.ts";
import { Journal } from "../src/journal.ts";
import { Alarms } from "../src/loop/alarms.ts";
import { ClosedLoop } from "../src/loop/closed-loop.ts";
import { findings, type PeerFacts, type VipFacts } from "../src/loop/findings.ts";
import { registerAlarmMetrics } from "../src/loop/metrics.ts";
import { ALARMS } from "../src/loop/reasons.ts";
import { selfQuery } from "../src/loop/self-query.ts";

const VIP = "10.10.10.53/32";
const PEER = "192.0.2.101";

function pathOf(asPath: readonly number[], communities: readonly number[] = []): ReceivedPath {
  return { asPath, communities, largeCommunities: [], nextHop: PEER } as unknown as ReceivedPath;
}

const vip: VipFacts = {
  name: VIP,
  wish: "normal",
  prepend: 0,
  clients: "unknown",
  clientsSeen: false,
  selfQuery: "",
  others: [],
};
const messages = { open: 1, update: 1, notification: 0, keepalive: 9, "route-refresh": 0 };
const peer = {
  address: PEER,
  internal: false,
  limited: false,
  late: false,
  status: { state: "Established", announced: [VIP], unsendable: [], received: { bytes: 0, messages } },
} satisfies PeerFacts;
const mute = { ...peer.status, received: { bytes: 0, messages: { ...messages, update: 0 } } };
const seen = (asPath: number[], communities?: number[]): Partial<VipFacts> => ({
  others: [{ peer: PEER, path: pathOf(asPath, communities) }],
});

function refused(): Promise<PollResult> {
  return Promise.resolve({ verdict: "fail", detail: "ECONNREFUSED" });
}

describe("what is wrong", () => {
  test.each<[string, Partial<VipFacts>, Partial<PeerFacts>, string[]]>([
    ["nothing, on a good day", {}, {}, []],
    [
      "nothing, while no session is up",
      { clients: "quiet" },
      { status: { ...mute, state: "Active", announced: [] } },
      [],
    ],
    ["a router that never sends anything", {}, { status: mute }, ["router-silent"]],
    ["not when clients come by it", { clients: "flowing" }, { status: mute }, []],
    ["not when we announce nothing", { wish: "none" }, { status: { ...mute, announced: [] } }, []],
    ["a longer path that is preferred", seen([65_001, 65_002, 65_102]), {}, ["other-path-preferred"]],
    ["not one of our length: another node here", seen([65_001, 65_102]), {}, []],
    ["not one that our own prepends explain", { ...seen([65_001, 65_002, 65_102]), prepend: 1 }, {}, []],
    ["not one on last resort", seen([65_001, 65_002, 65_102], [GRACEFUL_SHUTDOWN]), {}, []],
    ["not while we are on last resort ourselves", { ...seen([65_001, 65_002, 65_102]), wish: "last-resort" }, {}, []],
    ["within an AS, any path that left it", seen([65_102]), { internal: true }, ["other-path-preferred"]],
    ["a limit on prefixes", {}, { limited: true }, ["prefix-limit"]],
    ["an UPDATE that stays unacknowledged", {}, { late: true }, ["update-not-acknowledged"]],
    ["no client since the announcement", { clients: "quiet" }, {}, ["no-traffic"]],
    ["not when some have come", { clients: "quiet", clientsSeen: true }, {}, []],
    ["not when that cannot be known", { clients: "unknown" }, {}, []],
    ["a service that does not answer through the VIP", { selfQuery: "silent" }, {}, ["self-query-failed"]],
    ["a route that was not taken", {}, { status: { ...peer.status, announced: [] } }, ["update-not-sent"]],
    ["a withdrawal that was not taken", { wish: "none" }, {}, ["update-not-sent"]],
    [
      "a route that cannot be said",
      {},
      { status: { ...peer.status, announced: [], unsendable: [{ prefix: VIP, reason: "no-next-hop" }] } },
      ["route-not-sendable"],
    ],
  ])("%s", (_name, vipChange, peerChange, codes) => {
    const found = findings([{ ...vip, ...vipChange }], [{ ...peer, ...peerChange }]);
    expect(found.map(({ code }) => code)).toEqual(codes);
  });
});

describe("the closed loop", () => {
  let clock: FakeClock;
  let journal: Journal;
  let alarms: Alarms;
  let wish: Wish;
  let status: PeerFacts["status"] & { reason?: string };
  let clients: Clients;
  let acknowledged: boolean | undefined;
  let answers: (() => Promise<PollResult>)[];

  beforeEach(() => {
    clock = new FakeClock();
    journal = new Journal(undefined, clock, (failure) => expect.fail(failure.message));
    alarms = new Alarms(clock, journal);
    wish = "none";
    status = { ...peer.status, announced: [] };
    clients = "unknown";
    acknowledged = undefined;
    answers = [];
    const subject = {
      get wish() {
        return wish;
      },
      name: VIP,
      loadMark: undefined,
    };
    const announcer = {
      alarms,
      vips: [subject],
      origin: { asn: 65_101 },
      get peers() {
        return [{ config: { address: PEER, asn: 65_001 }, status }];
      },
      otherOrigins: () => [],
    } as unknown as Announcer;
    const query = (): Promise<PollResult> | undefined => answers.shift()?.();
    new ClosedLoop({
      announcer,
      journal,
      clock,
      clients: () => clients,
      query,
      acknowledged: () => acknowledged,
    }).start();
  });

  function change(to: Wish): void {
    const before = wish;
    wish = to;
    status = { ...status, announced: to === "none" ? [] : [VIP] };
    journal.append({
      kind: "decision",
      vip: VIP,
      service: "dns",
      from: "RISING",
      to: "UP",
      verdict: "pass",
      wish: { from: before, to },
      reason: "risen",
      cause: undefined,
      detail: "",
    });
  }

  const ringing = (): string[] => alarms.ringing.map(({ code, subject }) => `${code} ${subject}`);
  const entries = (kind: string): unknown[] => journal.entries.filter((entry) => entry.kind === kind);

  test("records what the self-query after a change came to, with the change as its cause", async () => {
    answers = [() => Promise.resolve({ verdict: "pass", detail: "answered NOERROR" })];
    change("normal");
    await clock.run(seconds(1));
    expect(entries("proof")).toMatchObject([{ cause: 1, verdict: "pass", detail: "answered NOERROR" }]);
    expect(ringing()).toEqual([]);
  });

  test("rings when the service does not answer through the VIP, asks again, and ends when it does", async () => {
    answers = [refused, refused, () => Promise.resolve({ verdict: "pass", detail: "" })];
    change("normal");
    await clock.run(seconds(2));
    expect(ringing()).toEqual([`self-query-failed ${VIP}`]);
    await clock.run(seconds(20));
    expect(ringing()).toEqual([]);
    expect(entries("proof")).toHaveLength(2); // the second failure is no news
    expect(entries("alarm")).toMatchObject([{ ringing: true }, { ringing: false }]);
  });

  test("a late answer to an earlier change proves nothing", async () => {
    let late: ((result: PollResult) => void) | undefined;
    answers = [
      () => new Promise((resolve) => void (late = resolve)),
      () => Promise.resolve({ verdict: "pass", detail: "" }),
    ];
    change("normal");
    change("none");
    clock.advance(milliseconds(10));
    change("normal");
    late?.({ verdict: "fail", detail: "late" });
    await clock.run(seconds(3));
    expect(entries("proof")).toMatchObject([{ cause: 3, verdict: "pass" }]);
    expect(ringing()).toEqual([]);
  });

  test("rings when no client has come for a minute, and ends with the first", async () => {
    clients = "quiet";
    change("normal");
    await clock.run(seconds(55));
    expect(ringing()).toEqual([]);
    await clock.run(seconds(10));
    expect(ringing()).toEqual([`no-traffic ${VIP}`]);
    clients = "flowing";
    await clock.run(seconds(2));
    expect(ringing()).toEqual([]);
    clients = "quiet"; // at night
    await clock.run(seconds(300));
    expect(ringing()).toEqual([]);
  });

  test("a moment between a decision and its UPDATE is no alarm; a session that takes nothing is", async () => {
    change("normal");
    status = { ...status, announced: [] };
    await clock.run(seconds(3));
    expect(ringing()).toEqual([]);
    await clock.run(seconds(5));
    expect(ringing()).toEqual([`update-not-sent ${VIP} at ${PEER}`]);
  });

  test("records when the peer's TCP has an UPDATE, and rings when it does not", async () => {
    const update = { kind: "update", peer: PEER, announced: [VIP], withdrawn: [], cause: 7 } as const;
    journal.append(update); // where the kernel cannot be asked, nothing is said
    await clock.run(seconds(10));
    expect(entries("acknowledged")).toEqual([]);
    acknowledged = false;
    const { id } = journal.append(update);
    await clock.run(milliseconds(500));
    acknowledged = true;
    await clock.run(milliseconds(100));
    expect(entries("acknowledged")).toMatchObject([{ peer: PEER, update: id, cause: 7, took: 510 }]);
    acknowledged = false;
    journal.append(update);
    await clock.run(seconds(7));
    expect(ringing()).toEqual([`update-not-acknowledged ${PEER}`]);
    acknowledged = undefined; // the connection is gone, and the session with it
    await clock.run(seconds(2));
    expect(ringing()).toEqual([]);
    expect(entries("acknowledged")).toHaveLength(1);
    expect(clock.waiting).toEqual(["closed-loop"]);
  });

  test("a limit on prefixes rings through the reconnects, until a session has lasted", async () => {
    change("normal");
    status = { ...status, state: "Idle", announced: [] };
    const to = { kind: "session", peer: PEER, from: "Established", to: "Idle", detail: "" } as const;
    journal.append({ ...to, reason: "prefix-limit" });
    await clock.run(seconds(2));
    expect(ringing()).toEqual([`prefix-limit ${PEER}`]);
    status = { ...status, state: "Established", announced: [VIP] };
    await clock.run(seconds(30));
    expect(ringing()).toEqual([`prefix-limit ${PEER}`]);
    await clock.run(seconds(40));
    expect(ringing()).toEqual([]);
  });

  test("every alarm is in the metric, and those that ring are counted", async () => {
    const registry = createRegistry({ service: "announcer", site: "nyc", instance: "nyc-1" });
    registerAlarmMetrics(registry, alarms);
    alarms.raise("no-traffic", VIP, "");
    alarms.raise("no-traffic", VIP, "again");
    alarms.raise("no-traffic", "10.10.5.14/32", "");
    const text = await registry.metrics();
    for (const alarm of ALARMS)
      expect(text).toMatch(new RegExp(`alarms{alarm="${alarm}"[^\n]* ${alarm === "no-traffic" ? 2 : 0}\n`));
  });
});

test("a self-query forgives two lost answers, and not three", async () => {
  const clock = new FakeClock();
  const results: PollResult[] = [];
  let failing = 2;
  const probe = (signal: AbortSignal): Promise<PollResult> => {
    failing -= 1;
    if (failing >= 0)
      return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("given up"))));
    return Promise.resolve({ verdict: "pass", detail: "" });
  };
  void selfQuery(probe, seconds(1), clock).then((result) => results.push(result));
  await clock.run(seconds(3));
  failing = 3;
  void selfQuery(probe, seconds(1), clock).then((result) => results.push(result));
  await clock.run(seconds(5));
  expect(results.map(({ verdict }) => verdict)).toEqual(["pass", "fail"]);
  expect(clock.waiting).toEqual([]);
});
