import { elapsed, milliseconds, scaled, seconds, type Clock, type Duration, type Instant } from "@stitch/clock";
import type { HostPort } from "@stitch/config";
import type { TlsTrust } from "../tls/trust.ts";
import { EdnsMemory } from "./edns-memory.ts";
import { Pace } from "./pace.ts";

/**
 * Questions in a row without an answer after which an upstream is suspected. Answers of any kind, SERVFAIL too, are life,
 * and a question counts once however often it is tried. It is down when the network says so, or when it leaves the
 * question for its own zone unanswered too: anybody may ask for names whose servers never answer, and must not take a good
 * upstream out so.
 */
export const FAILURES = 3;
/** First wait before a probe of an upstream that is down; it doubles, so that a dead one is not hammered ... */
const FIRST_BACKOFF: Duration = seconds(1);
/** ... and is capped, so that one that comes back is used again soon. */
const LONGEST_BACKOFF: Duration = seconds(30);
const NOW: Duration = milliseconds(0);

/** One server that a route asks, and whether it answers. */
export class Upstream {
  readonly target: HostPort;
  readonly source: string | undefined;
  /** It is asked over TLS, and must prove that it is this. */
  readonly trust: TlsTrust | undefined;
  /** It forwards to us what we forward to it, and is not asked but to see whether it still does. See LoopWatch. */
  looping = false;
  /** A query is on its way to this upstream while it is down: the only one that may be. */
  probing = false;
  /** It repeats the case of names; false once it was seen, over TCP too, to answer and not to do so. */
  mixedCase = true;
  readonly edns = new EdnsMemory();
  readonly pace = new Pace();
  /** The last question that came to nothing here, and how; for whoever asks why. */
  lastFailure: { readonly at: Instant; readonly why: string } | undefined;
  readonly #clock: Clock;
  #failures = 0;
  #confirmed = false;
  #backoff: Duration = NOW;
  #failedAt: Instant;
  #succeededAt: Instant;

  constructor(target: HostPort, source: string | undefined, clock: Clock, trust?: TlsTrust) {
    this.target = target;
    this.source = source;
    this.trust = trust;
    this.#clock = clock;
    this.#failedAt = clock.now();
    this.#succeededAt = clock.now();
  }

  get down(): boolean {
    return this.looping || (this.#confirmed && this.#failures >= FAILURES);
  }

  get probeDue(): boolean {
    if (this.probing || this.looping || this.#failures < FAILURES) return false;
    return !this.#confirmed || elapsed(this.#failedAt, this.#clock.now()) >= this.#backoff;
  }

  succeeded(): void {
    this.#succeededAt = this.#clock.now();
    this.#failures = 0;
    this.#confirmed = false;
    this.#backoff = NOW;
  }

  /**
   * No answer in time to a question sent at `sent`; others answered since speak for it. `certain`: the network said no, or
   * it was the question for the zone.
   */
  failed(sent: Instant, certain: boolean): void {
    // Of many questions under way when it went down each comes to an end; the wait doubles for the first alone.
    if (this.#succeededAt > sent || (this.down && this.#failedAt > sent)) return;
    this.#failures += 1;
    this.#confirmed ||= certain && this.#failures >= FAILURES;
    this.#failedAt = this.#clock.now();
    if (!this.down) return;
    this.#backoff = Math.min(LONGEST_BACKOFF, Math.max(FIRST_BACKOFF, scaled(this.#backoff, 2))) as Duration;
  }
}

/** A zone and the upstreams that know it. */
export interface Route {
  readonly zone: string;
  readonly name: Uint8Array;
  readonly upstreams: readonly Upstream[];
  /** Questions on their way; bounded, so that a dead route cannot starve the others. */
  inFlight: number;
  /** Clients that wait for them. */
  waiting: number;
  /** `critical: false` in the file: that it is down is told as an alarm, and moves nobody. */
  minor?: boolean;
  /** An answer of another route, or of local data, stands in an answer of this one: an alias led there. */
  crossed?: boolean;
  /** An answer of this one holds an alias: what it leads to may become the name of another. */
  aliased?: boolean;
}

/** Who is asked next: in the order of the file, those that are up and untried first, then up, then one that is down. */
export function pick({ upstreams }: Route, tried: readonly Upstream[]): Upstream | undefined {
  const up = upstreams.filter(({ down }) => !down);
  const fresh = up.find((upstream) => !tried.includes(upstream));
  if (fresh !== undefined) return fresh;
  // Again, the one that was asked longest ago.
  const again = up.toSorted((a, b) => tried.lastIndexOf(a) - tried.lastIndexOf(b))[0];
  if (again !== undefined) return again;
  return upstreams.find((upstream) => !upstream.probing && !upstream.looping && !tried.includes(upstream));
}

/** Who may be asked besides: one that is up and untried. */
export function spare({ upstreams }: Route, tried: readonly Upstream[]): Upstream | undefined {
  return upstreams.find((upstream) => !upstream.down && !tried.includes(upstream));
}

export function allDown({ upstreams }: Route): boolean {
  return upstreams.every(({ down }) => down);
}

export function allLooping({ upstreams }: Route): boolean {
  return upstreams.length > 0 && upstreams.every(({ looping }) => looping);
}

/** Upstreams that are left out because they forward to us. */
export function loopingOf(routes: Iterable<Route>): number {
  return [...routes].flatMap(({ upstreams }) => upstreams.filter(({ looping }) => looping)).length;
}
