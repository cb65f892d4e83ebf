import { deepStrictEqual } from "node:assert";
import { milliseconds, type Duration } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { SiteDocument } from "@stitch/config";
import { Cache, tickOf } from "../../src/cache.ts";
import { dnsConfig } from "../../src/config.ts";
import { readPolicies } from "../../src/policy/load-policies.ts";
import { ACTION, Resolver } from "../../src/resolver.ts";
import { ServingBuilder } from "../../src/serving.ts";
import { atOnce } from "../../src/sliced.ts";
import type { Waiter } from "../../src/upstream/flight.ts";
import { Forwarder } from "../../src/upstream/forwarder.ts";
import { put16 } from "../../src/wire/octets.ts";
import { LOOPBACK } from "../fixtures.ts";
import { described, extendedErrorOf, messageOf } from "./message.ts";
import type { Entry, Scenario, Step } from "./rpl.ts";
import { ScriptedUpstreams } from "./upstreams.ts";

const SEED = 7;
/** What happens within this much time after a step happens at its own instant; of a longer wait the rest is one leap. */
const FINE: Duration = milliseconds(10_000);

/** The resolver of a scenario: everything of a worker but its sockets. */
class Stage {
  readonly clock = new FakeClock();
  readonly upstreams: ScriptedUpstreams;
  /** Replies that no step has looked at. */
  readonly replies: Uint8Array[] = [];
  readonly #resolver: Resolver;
  readonly #forwarder: Forwarder;
  readonly #out = new Uint8Array(65_535);
  #id = 0;

  constructor({ config, ranges }: Scenario, file: string) {
    const dns = dnsConfig(SiteDocument.parse(config, file));
    const policies = atOnce(readPolicies([], () => "", SEED));
    const none = { hosts: [], zones: [], localZones: 0, cookieSecrets: [], identity: undefined, cas: new Map() };
    const served = { dns, ...none, policies };
    const serving = atOnce(new ServingBuilder(this.clock, 1, SEED).building(served));
    const cache = new Cache({ size: dns.cache.size, staleSeconds: serving.staleSeconds, seed: SEED });
    this.upstreams = new ScriptedUpstreams(ranges, this.clock);
    this.#resolver = new Resolver({ ...serving, wallSeconds: () => 0, cache, seed: SEED, identity: "nyc/nyc-1" });
    this.#forwarder = new Forwarder({
      workers: 1,
      clock: this.clock,
      cache,
      routes: serving.routes,
      names: this.#resolver.claims,
      transport: this.upstreams,
      ...serving.limits,
      deliver: (waiter, outcome) => {
        const { query, peer, tcp } = waiter;
        if (outcome.kind === "image")
          this.#resolver.lateImage(outcome.image, outcome.stale, query, peer, tcp, this.#out);
        else this.#resolver.lateFailure(outcome.extended, outcome.reason, query, peer, this.#out);
        this.replies.push(this.#out.slice(0, this.#resolver.length));
      },
      onChange: () => {},
    });
  }

  query(entry: Entry): void {
    const resolver = this.#resolver;
    const query = messageOf(entry);
    const tcp = entry.match.has("TCP");
    this.#id += 1;
    put16(query, 0, this.#id);
    const tick = tickOf(this.clock.now());
    const action = resolver.decide(query, 0, query.length, LOOPBACK, 0, tcp, tick, this.#out, 0);
    if (action === ACTION.forward) {
      const waiter: Waiter = { query, peer: LOOPBACK, tcp, reply: () => {} };
      this.#forwarder.ask(resolver.query, resolver.place, resolver.tag, waiter);
    } else this.replies.push(this.#out.slice(0, resolver.length));
    if (action === ACTION.refresh) this.#forwarder.refresh(resolver.query, resolver.place, resolver.tag);
  }

  async pass(time: Duration): Promise<void> {
    await this.clock.run(Math.min(time, FINE) as Duration);
    if (time > FINE) this.clock.advance((time - FINE) as Duration);
  }

  close(): Promise<void> {
    return this.#forwarder.close();
  }
}

/** Plays a scenario from its first step to its last. */
export async function play(scenario: Scenario, file: string): Promise<void> {
  const stage = new Stage(scenario, file);
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

async function played(stage: Stage, { kind, words, entry }: Step, where: string): Promise<void> {
  if (entry !== undefined) return withEntry(stage, kind, entry, where);
  if (kind === "NOTHING") return;
  if (kind === "TIME_PASSES") return stage.pass(milliseconds(Number(words[1]) * 1_000));
  if (kind === "ASKED") return same(where, stage.upstreams.asked, Number(words[0]));
  throw new Error(`${where}: there is no step ${kind}`);
}

function withEntry(stage: Stage, kind: string, entry: Entry, where: string): void {
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
