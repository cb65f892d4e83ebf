import { describe, expect, test } from "vitest";
import { explain } from "../src/explain.ts";
import type { JournalEntry } from "../src/journal.ts";
import { statusOf } from "../src/status.ts";
import { Scenario } from "./scenario.ts";

const IDENTITY = { service: "announcer", site: "nyc", instance: "nyc-1" };

async function after(...lines: string[]): Promise<Scenario> {
  const scenario = new Scenario();
  for (const line of ["peer 1 up", "report dns serving pass", "renew dns 3", ...lines]) await scenario.run(line);
  return scenario;
}

/** The entry and what it follows from, kinds only, newest first. */
function chain({ journal }: Scenario, kind: JournalEntry["kind"]): string[] {
  const { entries } = journal;
  const kinds: string[] = [];
  for (let entry = entries.findLast((each) => each.kind === kind); entry !== undefined;) {
    kinds.push(entry.kind === "decision" ? entry.reason : entry.kind);
    const { cause } = { cause: undefined, ...entry };
    entry = entries.find(({ id }) => id === cause);
  }
  return kinds;
}

describe("every update is chained to what began it", () => {
  test("a killed service: update, decision, what its check said", async () => {
    const scenario = await after("lost dns lease-closed", "sent 1 dns");
    expect(chain(scenario, "update")).toEqual(["update", "lease-closed", "health"]);
  });

  test("a drain: the withdrawal follows from the drain, and that from the operator", async () => {
    const scenario = await after("path 1 dns other", "drain dns", "wait 2s", "expect dns DRAINED none");
    expect(chain(scenario, "decision")).toEqual(["other-origin-seen", "operator-drain", "operator"]);
  });

  test("a drain that returns by itself follows from what was decided last", async () => {
    const scenario = await after("path 1 dns other", "drain dns for=5s", "wait 6s");
    expect(chain(scenario, "decision").slice(0, 2)).toEqual(["drain-expired", "other-origin-seen"]);
  });

  test("a service that stops: by its own word", async () => {
    const scenario = await after("report dns draining pass");
    expect(chain(scenario, "decision")).toEqual(["service-draining", "health"]);
  });
});

test("what a check says is journalled when it changes, not when it is said again", async () => {
  const scenario = await after(
    "renew dns 50",
    "report dns serving pass",
    "poll web pass 3",
    "poll web fail 2",
    "poll web pass 1",
  );
  const said = scenario.journal.entries.flatMap((entry) => (entry.kind === "health" ? [entry] : []));
  expect(said.map((entry) => `${entry.service} ${"verdict" in entry ? entry.verdict : ""}`)).toEqual([
    "dns pass",
    "web pass",
    "web fail",
    "web pass",
  ]);
});

test("explain says of a dry run that it is one", async () => {
  const scenario = await after();
  const status = { ...statusOf(scenario.announcer, IDENTITY, scenario.clock, "192.0.2.1"), dryRun: true };
  const [vip] = status.vips;
  expect(vip && explain(vip, status, [])[0]).toMatch(/^This is a dry run: nothing is announced/);
});

test("explain tells the chain by its numbers and times", async () => {
  const scenario = await after("lost dns lease-closed");
  const status = statusOf(scenario.announcer, IDENTITY, scenario.clock, "192.0.2.1");
  const [vip] = status.vips;
  const lines = vip === undefined ? [] : explain(vip, status, scenario.journal.entries);
  expect(lines).toContainEqual(
    expect.stringMatching(
      /UP -> DOWN: .*\[#\d+ because of #\d+, 2026-01-01T00:00:00\.300Z: the check said lease-closed\]\.$/,
    ),
  );
});
