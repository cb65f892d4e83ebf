import { elapsed, milliseconds, seconds, type Clock, type Duration, type Instant, type Timer } from "@stitch/clock";
import type { TlsExchanges } from "../tls/tls-exchanges.ts";
import { adoptName, Query } from "../wire/query.ts";
import { CLASS, TYPE } from "../wire/registry.ts";
import type { Asking, Exchange, Request } from "./exchange.ts";
import { MixedCase } from "./mixed-case.ts";
import { RandomIds } from "./random-ids.ts";
import type { Transport } from "./transport.ts";
import type { Route, Upstream } from "./upstream.ts";

const TCP_LIMIT: Duration = seconds(1);
const PROBE_LIMIT: Duration = seconds(1);
const NOT_LATE: Duration = milliseconds(0);
const PROBE_TICK: Duration = milliseconds(500);

/** What is asked: the question as it is written, name in lower case. */
export interface About {
  readonly question: Uint8Array;
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
}

/** A client's question, the same asked of the same upstream again, or a probe. */
export type Kind = "question" | "again" | "probe";

/** How long to wait, what for, and whom to tell that the limit has passed while the wait goes on. */
export interface Terms extends Pick<Request, "limit" | "late" | "onOverdue"> {
  readonly kind: Kind;
}

export interface AskerOptions {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly tls: TlsExchanges;
  readonly routes: () => Iterable<Route>;
  /** Called whenever an upstream went down or came back. */
  readonly onChange: (cameBack: boolean) => void;
}

/**
 * Asks one upstream once: over UDP, and over TCP what UDP cannot answer; judges the upstream by what comes of it, and
 * probes those that are suspected or down.
 */
export class Asker {
  readonly counters = {
    exchanges: 0,
    hedged: 0,
    overTcp: 0,
    ignored: 0,
    nearMisses: 0,
    caseChanged: 0,
    timeouts: 0,
    unreachable: 0,
    useless: 0,
  };
  readonly #options: AskerOptions;
  readonly #ids = new RandomIds();
  readonly #mixedCase = new MixedCase();
  readonly #scratch = new Query();
  readonly #probe: Timer;

  constructor(options: AskerOptions) {
    this.#options = options;
    this.#probe = options.clock.every("upstream-probe", PROBE_TICK, () => this.#probeDown());
  }

  /** Resolves when the sockets are closed. */
  async close(): Promise<void> {
    this.#probe.cancel();
    this.#options.tls.close();
    await this.#options.transport.close();
  }

  ask(about: About, upstream: Upstream, { limit, late, kind, onOverdue }: Terms): Asking {
    const { clock, transport } = this.#options;
    const { target, source, mixedCase, trust } = upstream;
    const { question, dnssecOk, checkingDisabled } = about;
    const put: Put = { upstream, kind, sent: clock.now(), probing: upstream.down || kind === "probe", overdue: false };
    if (put.probing) upstream.probing = true;
    this.counters.exchanges += 1;
    const request: Request = {
      upstream: target,
      source,
      id: this.#ids.next(),
      question,
      mixedCase,
      dnssecOk,
      checkingDisabled,
      limit,
      late,
      clock,
      onIgnored: () => void (this.counters.ignored += 1),
      onOverdue: () => {
        put.overdue = true;
        this.#judge(put, TIMEOUT);
        onOverdue();
      },
    };
    const { result, end } = trust === undefined ? transport.udp(request) : this.#options.tls.exchange(request, trust);
    return { result: result.then((exchange) => this.#ended(put, request, exchange)), end };
  }

  #ended(put: Put, request: Request, result: Exchange): Exchange | Promise<Exchange> {
    // That an overdue one has come to nothing is known already.
    if (!put.overdue || result.kind !== "timeout") this.#judge(put, result);
    // What cannot be had over TLS is not asked for in the clear.
    const mayGoOn = put.upstream.trust === undefined && OVER_TCP.has(result.kind);
    return mayGoOn ? this.#overTcp(request, put.upstream, result) : result;
  }

  /** What comes of this says nothing about the upstream, which has answered: TCP may be filtered on the way. */
  async #overTcp(request: Request, upstream: Upstream, over: Exchange): Promise<Exchange> {
    this.counters.overTcp += 1;
    if (over.kind === "near-misses") this.counters.nearMisses += 1;
    const asked = request.mixedCase ? this.#mixedCase.mix(request.question) : request.question;
    const tcp = { ...request, id: this.#ids.next(), limit: TCP_LIMIT };
    const { exchange, caseChanged } = await this.#options.transport.tcp(tcp, asked);
    if (over.kind === "case-changed") {
      this.counters.caseChanged += 1;
      // One forged datagram brings us here; only what the upstream itself does over TCP may end mixed case.
      if (exchange.kind === "answer" && caseChanged) upstream.mixedCase = false;
    }
    return exchange;
  }

  #judge({ upstream, kind, sent, probing }: Put, result: Exchange): void {
    if (probing) upstream.probing = false;
    if (result.kind === "no-socket") return;
    const wasDown = upstream.down;
    if (result.kind === "timeout") this.counters.timeouts += 1;
    const refused = result.kind === "unreachable" || result.kind === "untrusted";
    if (refused) this.counters.unreachable += 1;
    if (result.kind !== "timeout" && !refused) {
      upstream.succeeded();
      // What a forger may have sent says nothing of its pace.
      if (result.kind === "answer") upstream.pace.answered(elapsed(sent, this.#options.clock.now()));
    } else if (kind !== "again") upstream.failed(sent, kind === "probe" || refused);
    if (upstream.down !== wasDown) this.#options.onChange(wasDown);
  }

  /** Asks upstreams that are suspected or down for the SOA of their zone, now and then: so they come back by themselves. */
  #probeDown(): void {
    this.#options.transport.tidy();
    this.#options.tls.tidy();
    for (const route of this.#options.routes()) {
      for (const upstream of route.upstreams) {
        if (!upstream.probeDue) continue;
        adoptName(this.#scratch, route.name, TYPE.SOA, CLASS.IN);
        const question = this.#scratch.key.slice(0, this.#scratch.keyLength);
        this.ask({ question, dnssecOk: false, checkingDisabled: false }, upstream, PROBE);
      }
    }
  }
}

/** A question that was put, for the judgement of its upstream. */
interface Put {
  readonly upstream: Upstream;
  readonly kind: Kind;
  readonly sent: Instant;
  /** The upstream was down: no other question may be on its way to it. */
  readonly probing: boolean;
  overdue: boolean;
}

const PROBE: Terms = { limit: PROBE_LIMIT, late: NOT_LATE, kind: "probe", onOverdue: () => {} };
const TIMEOUT: Exchange = { kind: "timeout" };

/** What makes a question be put again over TCP, where nobody can answer in the upstream's place. */
const OVER_TCP: ReadonlySet<Exchange["kind"]> = new Set(["truncated", "malformed", "case-changed", "near-misses"]);
