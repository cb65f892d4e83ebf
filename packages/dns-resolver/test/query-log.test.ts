import { milliseconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { describe, expect, test } from "vitest";
import { QueryLog, type LoggedQuery, type QueryLogSettings } from "../src/query-log.ts";
import { REASON } from "../src/reasons.ts";
import { respond } from "./fake-upstream.ts";
import { client, queryFor, view } from "./fixtures.ts";
import { rig, upstream } from "./rig.ts";

const CLIENT = client(192, 0, 2, 9);

interface Kept {
  readonly log: QueryLog;
  readonly clock: FakeClock;
  readonly lines: LoggedQuery[];
  /** A query leaves. */
  left(name: string, reason?: number): void;
}

function kept(settings: Partial<QueryLogSettings> = {}, workers = 1): Kept {
  const clock = new FakeClock();
  const lines: LoggedQuery[] = [];
  const all = { every: 10, errors: true, perSecond: 100, ...settings };
  const log = new QueryLog(all, workers, clock, (more) => void lines.push(...more));
  return {
    log,
    clock,
    lines,
    left: (name, reason = REASON.cached) => {
      if (log.wants(reason)) log.note(view(queryFor(name, { type: "AAAA" })), CLIENT, 0, reason);
    },
  };
}

describe("query log", () => {
  test("has one query in so many, a second later, and every one that failed", async () => {
    const { clock, left, lines } = kept();
    for (let i = 0; i < 25; i += 1) left(`n${i}.example`);
    left("fails.example", REASON.upstreamFailed);
    expect(lines).toEqual([]);
    await clock.run(milliseconds(1_000));
    expect(lines.map(({ name }) => name)).toEqual(["n9.example.", "n19.example.", "fails.example."]);
    expect(lines[2]).toEqual({ client: "192.0.2.9", name: "fails.example.", type: "AAAA", reason: "upstream-failed" });
  });

  test("of errors alone, or of the sample alone", async () => {
    const errors = kept({ every: 0 });
    const sample = kept({ errors: false });
    for (const { left } of [errors, sample]) {
      for (let i = 0; i < 10; i += 1) left("www.example");
      left("fails.example", REASON.upstreamBusy);
    }
    errors.log.close();
    sample.log.close();
    expect(errors.lines.map(({ name }) => name)).toEqual(["fails.example."]);
    expect(sample.lines.map(({ name }) => name)).toEqual(["www.example."]);
  });

  test("is bounded in lines a second, shared out among workers, and counts what it left out", async () => {
    const { clock, left, lines, log } = kept({ every: 1, perSecond: 20 }, 2);
    for (let i = 0; i < 1_000; i += 1) left("flood.example", REASON.failedBefore);
    await clock.run(milliseconds(1_000));
    expect([lines.length, log.missed]).toEqual([10, 990]);
    left("later.example");
    await clock.run(milliseconds(1_000));
    expect(lines.at(-1)?.name).toBe("later.example.");
  });

  test("escapes names: none can write a line of its own, or colour a terminal", () => {
    const { left, lines, log } = kept({ every: 1 });
    const query = queryFor("abcdefgh.example");
    query.set(Buffer.from('\n\x1b[31m"\\'), 13);
    if (log.wants(REASON.cached)) log.note(view(query), CLIENT, 0, REASON.cached);
    left("plain.example");
    log.close();
    expect(lines[0]?.name).toBe('\\010\\027[31m"\\\\.example.');
    expect(lines).toHaveLength(2);
  });

  test("takes queries at their exit, cached, forwarded and malformed ones alike", async () => {
    const fake = await upstream({ udp: (query, send) => send(respond(query)) });
    const { ask, server } = await rig([fake]);
    const { log, lines } = kept({ every: 1 });
    server.queryLog = log;
    await ask(queryFor("www.example"));
    await ask(queryFor("www.example"));
    await ask(queryFor("www.example").subarray(0, 14));
    log.close();
    expect(lines.map(({ reason, name }) => [reason, name])).toEqual([
      ["forwarded", "www.example."],
      ["cached", "www.example."],
      ["malformed", ""],
    ]);
    expect(lines.map((line) => line.client)).toEqual(["127.0.0.1", "127.0.0.1", "127.0.0.1"]);
  });
});
