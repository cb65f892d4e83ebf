import { deepStrictEqual } from "node:assert";
import { milliseconds, type Duration } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { put16 } from "../../src/wire/octets.ts";
import { described, extendedErrorOf, messageOf } from "./message.ts";
import type { Entry, Scenario, Step } from "./rpl.ts";
import { Stage } from "./stage.ts";
import { ScriptedUpstreams } from "./upstreams.ts";

/** What happens within this much time after a step happens at its own instant; of a longer wait the rest is one leap. */
const FINE: Duration = milliseconds(10_000);

/** A scenario that is being played. */
class Play {
  readonly clock = new FakeClock();
  readonly upstreams: ScriptedUpstreams;
  /** Replies that no step has looked at. */
  readonly replies: Uint8Array[] = [];
  readonly #stage: Stage;
  #id = 0;

  constructor({ config, ranges }: Scenario, file: string) {
    this.upstreams = new ScriptedUpstreams(ranges, this.clock);
    this.#stage = new Stage(config, file, this.clock, this.upstreams, (reply) => void this.replies.push(reply));
  }

  query(entry: Entry): void {
    const query = messageOf(entry);
    this.#id += 1;
    put16(query, 0, this.#id);
    this.#stage.query(query, entry.match.has("TCP"));
  }

  async pass(time: Duration): Promise<void> {
    await this.clock.run(Math.min(time, FINE) as Duration);
    if (time > FINE) this.clock.advance((time - FINE) as Duration);
  }

  close(): Promise<void> {
    return this.#stage.close();
  }
}

/** Plays a scenario from its first step to its last. */
export async function play(scenario: Scenario, file: string): Promise<void> {
  const stage = new Play(scenario, file);
  try {
    for (const step of scenario.steps) {
      stage.upstreams.step = step.number;
      await played(stage, step, `${file}:${step.line}, step ${step.number}`);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    same(`${file}: replies that no step has checked`, stage.replies.length, 0);
  } finally {
    await stage.close();
  }
}

async function played(stage: Play, { kind, words, entry }: Step, where: string): Promise<void> {
  if (entry !== undefined) return withEntry(stage, kind, entry, where);
  if (kind === "NOTHING") return;
  if (kind === "TIME_PASSES") return stage.pass(milliseconds(Number(words[1]) * 1_000));
  if (kind === "ASKED") return same(where, stage.upstreams.asked, Number(words[0]));
  throw new Error(`${where}: there is no step ${kind}`);
}

function withEntry(stage: Play, kind: string, entry: Entry, where: string): void {
  if (kind === "QUERY") return stage.query(entry);
  if (kind === "CHECK_ANSWER") return checkAnswer(stage.replies.shift(), entry, where);
  if (kind === "CHECK_OUT_QUERY") return same(where, stage.upstreams.waitsFor(entry), true);
  same(`${where}: no such question waits`, stage.upstreams.reply(entry), true);
}

function checkAnswer(reply: Uint8Array | undefined, entry: Entry, where: string): void {
  if (reply === undefined) throw new Error(`${where}: there is no answer yet`);
  const ttls = entry.match.has("ttl");
  same(where, described(reply, ttls), described(messageOf(entry), ttls));
  const ede = [...entry.match].find((word) => word.startsWith("ede="))?.slice(4);
  if (ede !== undefined) same(`${where}: the extended error`, extendedErrorOf(reply), Number(ede));
}

function same(where: string, actual: unknown, wanted: unknown): void {
  try {
    deepStrictEqual(actual, wanted);
  } catch (failure) {
    throw new Error(`${where}: ${failure instanceof Error ? failure.message : ""}`, { cause: failure });
  }
}
