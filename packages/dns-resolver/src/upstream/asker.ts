import { elapsed, milliseconds, seconds, type Clock, type Duration, type Instant, type Timer } from "@stitch/clock";
import { adoptName, Query } from "../wire/query.ts";
import { CLASS, TYPE } from "../wire/registry.ts";
import { REFUSES_EDNS, type Asking, type Exchange, type Request } from "./exchange.ts";
import { MixedCase } from "./mixed-case.ts";
import { RandomIds } from "./random-ids.ts";
import type { StreamResult } from "./stream.ts";
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

/** A client's question, the same asked of the same upstream again, a probe for the zone, or one that looks for a loop. */
export type Kind = "question" | "again" | "probe" | "loop";

/** How long to wait, what for, and whom to tell that the limit has passed while the wait goes on. */
export interface Terms extends Pick<Request, "limit" | "late" | "onOverdue"> {
  readonly kind: Kind;
}

export interface AskerOptions {
  readonly clock: Clock;
  readonly transport: Transport;
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
    withoutEdns: 0,
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
    await this.#options.transport.close();
  }

  ask(about: About, upstream: Upstream, terms: Terms): Asking {
    const { clock } = this.#options;
    const { kind } = terms;
    const sent = clock.now();
    const probing = upstream.down || kind === "probe";
    const put: Put = { upstream, terms, sent, probing, overdue: false, end: () => {} };
    if (put.probing) upstream.probing = true;
    const result = this.#put(put, this.#request(about, put));
    return { result, end: () => put.end() };
  }

  /** Asks for a name that nobody has; that no answer comes says nothing about the upstream. */
  askForLoop(question: Uint8Array, upstream: Upstream): Promise<Exchange> {
    return this.ask({ question, dnssecOk: false, checkingDisabled: false }, upstream, LOOP).result;
  }

  #request({ question, dnssecOk, checkingDisabled }: About, put: Put): Request {
    const { clock } = this.#options;
    const { upstream, terms } = put;
    return {
      upstream: upstream.target,
      source: upstream.source,
      id: this.#ids.next(),
      question,
      mixedCase: upstream.mixedCase,
      dnssecOk,
      checkingDisabled,
      edns: upstream.edns.isSpoken(put.sent),
      limit: terms.limit,
      late: terms.late,
      clock,
      onIgnored: () => void (this.counters.ignored += 1),
      onOverdue: () => {
        put.overdue = true;
        this.#judge(put, TIMEOUT);
        terms.onOverdue();
      },
    };
  }

  #put(put: Put, request: Request): Promise<Exchange> {
    this.counters.exchanges += 1;
    if (put.upstream.trust !== undefined) {
      const answered = this.#stream(put, request, request.question);
      return answered.then(({ exchange }) => this.#ended(put, request, exchange));
    }
    const { result, end } = this.#options.transport.udp(request);
    put.end = end;
    return result.then((exchange) => this.#ended(put, request, exchange));
  }

  #stream(put: Put, request: Request, question: Uint8Array): Promise<StreamResult> {
    const { result, end } = this.#options.transport.stream(request, question, put.upstream.trust);
    put.end = end;
    return result;
  }

  #ended(put: Put, request: Request, result: Exchange): Exchange | Promise<Exchange> {
    const { upstream } = put;
    // That an overdue one has come to nothing is known already.
    if (!put.overdue || result.kind !== "timeout") this.#judge(put, result);
    if (result.kind === "no-edns") return this.#withoutEdns(upstream, request, (plain) => this.#put(put, plain));
    if (result.kind === "answer" && request.edns) upstream.edns.spoken();
    // What cannot be had over TLS is not asked for in the clear.
    const mayGoOn = upstream.trust === undefined && OVER_TCP.has(result.kind);
    return mayGoOn ? this.#overTcp(put, request, result) : result;
  }

  /** Once for a question: without EDNS nobody can say that he does not know it. */
  async #withoutEdns(
    upstream: Upstream,
    request: Request,
    ask: (plain: Request) => Promise<Exchange>,
  ): Promise<Exchange> {
    this.counters.withoutEdns += 1;
    const result = await ask({ ...request, id: this.#ids.next(), edns: false });
    // What cannot be had without it either says nothing about EDNS.
    if (result.kind === "answer" && !REFUSES_EDNS.has(result.message.rcode))
      upstream.edns.refused(this.#options.clock.now());
    return result;
  }

  /** What comes of this says nothing about the upstream, which has answered: TCP may be filtered on the way. */
  async #overTcp(put: Put, request: Request, over: Exchange): Promise<Exchange> {
    const { upstream, terms } = put;
    this.counters.overTcp += 1;
    if (over.kind === "near-misses") this.counters.nearMisses += 1;
    const asked = request.mixedCase ? this.#mixedCase.mix(request.question) : request.question;
    const { onOverdue } = terms;
    const { exchange, caseChanged } = await this.#stream(put, { ...request, limit: TCP_LIMIT, onOverdue }, asked);
    if (over.kind === "case-changed") {
      this.counters.caseChanged += 1;
      // One forged datagram brings us here; only what the upstream itself does over TCP may end mixed case.
      if (exchange.kind === "answer" && caseChanged) upstream.mixedCase = false;
    }
    if (exchange.kind !== "no-edns") return exchange;
    return this.#withoutEdns(upstream, request, (plain) => this.#overTcp(put, plain, exchange));
  }

  #judge({ upstream, terms, sent, probing }: Put, result: Exchange): void {
    if (probing) upstream.probing = false;
    if (result.kind === "no-socket") return;
    const refused = result.kind === "unreachable" || result.kind === "untrusted";
    // Some do not answer for a name that nobody has; and what is wrong with an upstream is found by those who need it.
    if (terms.kind === "loop" && (refused || result.kind === "timeout")) return;
    const wasDown = upstream.down;
    if (result.kind === "timeout") this.counters.timeouts += 1;
    if (refused) this.counters.unreachable += 1;
    if (result.kind !== "timeout" && !refused) {
      upstream.succeeded();
      // What a forger may have sent says nothing of its pace.
      if (result.kind === "answer" && terms.kind !== "loop")
        upstream.pace.answered(elapsed(sent, this.#options.clock.now()));
    } else if (terms.kind !== "again") upstream.failed(sent, terms.kind === "probe" || refused);
    if (upstream.down !== wasDown) this.#options.onChange(wasDown);
  }

  /** Asks upstreams that are suspected or down for the SOA of their zone, now and then: so they come back by themselves. */
  #probeDown(): void {
    this.#options.transport.tidy();
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
  readonly terms: Terms;
  readonly sent: Instant;
  /** The upstream was down: no other question may be on its way to it. */
  readonly probing: boolean;
  overdue: boolean;
  /** Gives up what is on its way of it. */
  end: () => void;
}

const PROBE: Terms = { limit: PROBE_LIMIT, late: NOT_LATE, kind: "probe", onOverdue: () => {} };
const LOOP: Terms = { ...PROBE, kind: "loop" };
const TIMEOUT: Exchange = { kind: "timeout" };

/** What makes a question be put again over TCP, where nobody can answer in the upstream's place. */
const OVER_TCP: ReadonlySet<Exchange["kind"]> = new Set(["truncated", "malformed", "case-changed", "near-misses"]);
