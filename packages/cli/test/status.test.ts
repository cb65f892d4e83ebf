import type { AnnouncerStatus, VipStatus } from "@stitch/announcer";
import { expect, test } from "vitest";
import { note, statusText } from "../src/command/operate.ts";

const WELL: VipStatus = {
  prefix: "10.10.10.53/32",
  service: "dns",
  state: "UP",
  verdict: "pass",
  wish: "normal",
  age: 1_000,
  load: 0,
  holdDownLeft: 0,
  loadMark: undefined,
  penalty: 0,
  addressMissing: false,
  check: "lease http://127.0.0.1:8153/health/lease",
  heard: true,
  lastLoss: "",
  report: { service: "dns", site: "nyc", instance: "nyc-1", phase: "serving", verdict: "pass", load: 0, reasons: [] },
  drain: undefined,
  otherOrigins: [],
};
const DEAD = { code: "unresponsive", class: "dead", since: "2026-01-01T00:00:00.000Z", detail: "no answer" } as const;

test.each<[string, Partial<VipStatus>, string]>([
  ["nothing of a VIP that is well", {}, ""],
  ["the missing address", { addressMissing: true }, "10.10.10.53/32 is not an address of this machine"],
  ["that nobody has been heard", { report: undefined, heard: false }, "the check has not come to a result yet"],
  [
    "the lost lease and the hold-down",
    { report: undefined, lastLoss: "ECONNREFUSED at 127.0.0.1:8153", holdDownLeft: 2_000 },
    "the check fails: ECONNREFUSED at 127.0.0.1:8153; hold-down for 2s",
  ],
  [
    "the drain and the dead service behind it",
    {
      drain: { by: "operator", reason: "CHG-1", returnsIn: 60_000, detail: "" },
      report: { ...(WELL.report as NonNullable<VipStatus["report"]>), verdict: "fail", reasons: [DEAD] },
    },
    "drain by operator: CHG-1, returns in 1m; unresponsive: no answer",
  ],
])("status tells %s", (_name, change, text) => {
  expect(note({ ...WELL, ...change })).toBe(text);
});

test("status says in its first line that nothing is announced by a dry run", () => {
  const now = { site: "nyc", instance: "nyc-1", asn: 65_101, vips: [WELL], peers: [], alarms: [], kernel: undefined };
  const first = (dryRun: boolean): string | undefined =>
    statusText({ ...now, service: "announcer", routerId: "10.1.0.10", dryRun } satisfies AnnouncerStatus).split(
      "\n",
    )[0];
  expect(first(false)).toBe("nyc/nyc-1  AS 65101");
  expect(first(true)).toBe("nyc/nyc-1  AS 65101  DRY RUN: nothing is announced, ROUTE is what would be");
});

test("status says what to look at where a session fails", () => {
  const session = { state: "Active", reason: "tcp-timeout", detail: "", unsendable: [] } as never;
  const peer = { address: "10.1.0.1", port: 179, asn: 65_100, announced: [], session, bfd: undefined };
  const now = { site: "nyc", instance: "nyc-1", asn: 65_101, vips: [WELL], alarms: [], kernel: undefined };
  const text = (advice: string): string =>
    statusText({ ...now, service: "announcer", routerId: "10.1.0.10", dryRun: false, peers: [{ ...peer, advice }] });
  expect(text("no answer")).toMatch(/^LOOK AT 10\.1\.0\.1:179: no answer$/m);
  expect(text("")).not.toContain("LOOK AT");
});
