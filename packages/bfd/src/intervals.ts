import type { Duration } from "@stitch/clock";

import { longer, shorter } from "./timing.ts";

interface Pair {
  readonly desiredMinTx: Duration;
  readonly requiredMinRx: Duration;
}

/**
 * Our two intervals and the Poll Sequence that changes them while the session is Up (RFC 5880 sections 6.5, 6.8.3). A
 * change is advertised at once. What could make either side believe the other dead before it has read the change
 * (transmitting more slowly, waiting less long) takes effect only when the peer has confirmed it with a Final.
 *
 * A session that is not Up needs no poll: nothing is being detected that could be lost by it.
 */
export class IntervalPair {
  #advertised: Pair;
  #effective: Pair;
  #polling = false;
  /** Changed again while a poll was out: the Final that ends it may answer a packet with the older values. */
  #pollAgain = false;

  constructor(desiredMinTx: Duration, requiredMinRx: Duration) {
    this.#advertised = { desiredMinTx, requiredMinRx };
    this.#effective = this.#advertised;
  }

  /** What our packets say. */
  get advertised(): Pair {
    return this.#advertised;
  }

  /** What we transmit with. */
  get desiredMinTx(): Duration {
    return this.#effective.desiredMinTx;
  }

  /** What we detect with. */
  get requiredMinRx(): Duration {
    return this.#effective.requiredMinRx;
  }

  /** Whether our packets carry the P bit. */
  get polling(): boolean {
    return this.#polling;
  }

  want(desiredMinTx: Duration, requiredMinRx: Duration, up: boolean): void {
    const changed = desiredMinTx !== this.#advertised.desiredMinTx || requiredMinRx !== this.#advertised.requiredMinRx;
    this.#advertised = { desiredMinTx, requiredMinRx };
    if (!up) return this.#settle();
    if (!changed) return;
    this.#effective = {
      desiredMinTx: shorter(this.#effective.desiredMinTx, desiredMinTx),
      requiredMinRx: longer(this.#effective.requiredMinRx, requiredMinRx),
    };
    this.#pollAgain = this.#polling;
    this.#polling = true;
  }

  /** A packet with the F bit has come. */
  confirm(): void {
    if (!this.#polling) return;
    if (this.#pollAgain) this.#pollAgain = false;
    else this.#settle();
  }

  #settle(): void {
    this.#effective = this.#advertised;
    this.#polling = false;
    this.#pollAgain = false;
  }
}
