import type { FakeClock } from "@stitch/clock/testing";
import { SiteDocument } from "@stitch/config";
import { Cache, tickOf } from "../../src/cache.ts";
import { dnsConfig } from "../../src/config.ts";
import { readPolicies } from "../../src/policy/load-policies.ts";
import { ACTION, Resolver } from "../../src/resolver.ts";
import { ServingBuilder } from "../../src/serving.ts";
import { atOnce } from "../../src/sliced.ts";
import type { Waiter } from "../../src/upstream/flight.ts";
import { Forwarder } from "../../src/upstream/forwarder.ts";
import type { Transport } from "../../src/upstream/transport.ts";
import { LOOPBACK } from "../fixtures.ts";

const SEED = 7;

/** Everything of a worker but its sockets; time is the test's. */
export class Stage {
  readonly clock: FakeClock;
  readonly cache: Cache;
  readonly forwarder: Forwarder;
  readonly #resolver: Resolver;
  readonly #onReply: (reply: Uint8Array, reason: number) => void;
  readonly #out = new Uint8Array(65_535);

  /** `config` is a site.yaml; `file` its name in messages. */
  constructor(
    config: string,
    file: string,
    clock: FakeClock,
    transport: Transport,
    onReply: (reply: Uint8Array, reason: number) => void,
  ) {
    this.clock = clock;
    this.#onReply = onReply;
    const dns = dnsConfig(SiteDocument.parse(config, file));
    const policies = atOnce(readPolicies([], () => "", SEED));
    const served = {
      dns,
      hosts: [],
      zones: [],
      localZones: 0,
      cookieSecrets: [],
      policies,
      identity: undefined,
      siblingSecret: undefined,
      cas: new Map<string, string>(),
    };
    const serving = atOnce(new ServingBuilder(clock, 1, SEED).building(served));
    this.cache = new Cache({ size: dns.cache.size, staleSeconds: serving.staleSeconds, seed: SEED });
    const { cache } = this;
    this.#resolver = new Resolver({ ...serving, wallSeconds: () => 0, cache, seed: SEED, identity: "nyc/nyc-1" });
    this.forwarder = new Forwarder({
      workers: 1,
      clock,
      cache,
      routes: serving.routes,
      names: this.#resolver.claims,
      lists: () => this.#resolver.aliases,
      transport,
      ...serving.limits,
      deliver: (waiter, outcome) => {
        const { query, peer, tcp } = waiter;
        if (outcome.kind === "image")
          this.#resolver.lateImage(outcome.image, outcome.stale, query, peer, tcp, this.#out);
        else this.#resolver.lateFailure(outcome.extended, outcome.reason, query, peer, this.#out);
        this.#reply();
      },
      onChange: () => {},
    });
  }

  /** A client's query; its reply comes now or later. */
  query(query: Uint8Array, tcp = false): void {
    const resolver = this.#resolver;
    const tick = tickOf(this.clock.now());
    const action = resolver.decide(query, 0, query.length, LOOPBACK, 0, tcp, tick, this.#out, 0);
    if (action === ACTION.forward) {
      const waiter: Waiter = { query, peer: LOOPBACK, tcp, reply: () => {} };
      this.forwarder.ask(resolver.query, resolver.place, resolver.tag, waiter);
    } else this.#reply();
    if (action === ACTION.refresh) this.forwarder.refresh(resolver.query, resolver.place, resolver.tag);
  }

  close(): Promise<void> {
    return this.forwarder.close();
  }

  #reply(): void {
    this.#onReply(this.#out.slice(0, this.#resolver.length), this.#resolver.reason);
  }
}
