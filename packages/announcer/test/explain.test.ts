import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { REASONS } from "../src/decision/reasons.ts";
import { explain, REASON_IN_WORDS } from "../src/explain.ts";
import { statusOf, type AnnouncerStatus } from "../src/status.ts";
import { Scenario } from "./scenario.ts";

const IDENTITY = { service: "announcer", site: "nyc", instance: "nyc-1" };

async function after(...lines: string[]): Promise<{ status: AnnouncerStatus; lines: string[] }> {
  const scenario = new Scenario();
  for (const line of lines) await scenario.run(line);
  const status = statusOf(scenario.announcer, IDENTITY, scenario.clock, "192.0.2.1");
  const [dns] = status.vips;
  if (dns === undefined) throw new Error("no VIP");
  return { status, lines: explain(dns, status, scenario.journal.entries) };
}

const UP = ["peer 1 up", "report dns serving pass", "renew dns 3"];

describe("explain tells the cause", () => {
  test.each<[string, string[], RegExp]>([
    [
      "of a VIP whose address was never on the machine",
      ["address dns missing", "wait 3s", "report dns serving pass", "renew dns 5"],
      /^10\.10\.10\.53 is not an address of this machine: the deployment must add it\.$/,
    ],
    [
      "of a service that never answered",
      ["lost dns lease-refused"],
      /^Its check fails \(lease http:\/\/127\.0\.0\.1:8153\/health\/lease\): scenario\.$/,
    ],
    ["of a service that never spoke", [], /^Its check has not come to a result yet \(lease http:.*\)\.$/],
    [
      "of a service that is still starting",
      ["report dns starting pass"],
      /^The service is still starting \(warming up\)\.$/,
    ],
    [
      "of a drain that is held",
      [...UP, "drain dns", "wait 5s"],
      /^The guard: no peer has sent a path for this VIP that is not our own/,
    ],
    [
      "of a degraded service",
      ["report dns serving degraded upstreams-unreachable", "renew dns 3"],
      /^The service says upstreams-unreachable \(dependency\) since .*: scenario\.$/,
    ],
    [
      "of another origin",
      [...UP, "path 1 dns other"],
      /^192\.0\.2\.101 also has a path from elsewhere: AS path 65001 65102\.$/,
    ],
  ])("%s", async (_name, lines, sentence) => {
    expect((await after(...lines)).lines).toContainEqual(expect.stringMatching(sentence));
  });

  test("of a kernel speaker whose tables cannot be changed, and of an address in the wrong place", async () => {
    const { status } = await after(...UP);
    const [dns] = status.vips;
    if (dns === undefined) throw new Error("no VIP");
    const kernel = { protocol: 199, announced: [], failure: "", watched: true, misplaced: [] };
    const said = (changed: object): string[] => explain(dns, { ...status, kernel: { ...kernel, ...changed } }, []);
    expect(said({ announced: [dns.prefix] })).toContain("The kernel's main table has the route (proto 199).");
    expect(said({ failure: "ip is not installed (package iproute2)", watched: false })).toEqual(
      expect.arrayContaining([
        "The kernel's main table lacks the route (proto 199).",
        "The kernel's tables cannot be kept in step: ip is not installed (package iproute2).",
        expect.stringMatching(/^No watchdog runs/),
      ]),
    );
    expect(said({ misplaced: [dns.prefix] })).toContainEqual(
      expect.stringMatching(/^It is an address of an interface/),
    );
  });

  test("of a session that cannot carry the route", async () => {
    const { status, lines } = await after(...UP.slice(1));
    expect(lines).toContain("Peer 192.0.2.101 (AS 65001) is Idle (not started).");
    const [dns] = status.vips;
    const [peer] = status.peers;
    if (dns === undefined || peer === undefined) throw new Error("no VIP or peer");
    const unsendable = [{ prefix: dns.prefix, reason: "no-next-hop" as const }];
    const deaf = { ...peer, session: { ...peer.session, state: "Established" as const, unsendable } };
    expect(explain(dns, { ...status, peers: [deaf] }, [])).toContain(
      "Peer 192.0.2.101 (AS 65001) cannot be sent the route: no-next-hop.",
    );
  });

  test("of nothing that is over: a recovered VIP has no loss, no drain and no hold-down", async () => {
    const { status, lines } = await after(...UP, "lost dns lease-closed", "report dns serving pass", "renew dns 40");
    expect(status.vips[0]).toMatchObject({
      state: "UP",
      wish: "normal",
      lastLoss: "",
      holdDownLeft: 0,
      addressMissing: false,
    });
    expect(status.vips[0]?.drain).toBeUndefined();
    expect(lines.filter((line) => /check fails|Drained|hold-down after/.test(line))).toEqual([]);
  });
});

test("every reason has its words, here and in the README", () => {
  expect(Object.keys(REASON_IN_WORDS).toSorted()).toEqual(REASONS.toSorted());
  const readme = readFileSync(join(import.meta.dirname, "..", "README.md"), "utf8");
  for (const reason of REASONS) expect(readme).toContain(`| \`${reason}\` |`);
});
