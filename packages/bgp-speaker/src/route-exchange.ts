import { type Clock, type Duration, seconds, type Timer } from "@stitch/clock";

import { AdjRibIn, type AdjRibInOptions } from "./adj-rib-in.ts";
import { AdjRibOut, type Change } from "./adj-rib-out.ts";
import type { Negotiated } from "./negotiate.ts";
import { type IgnoredReason, noneIgnored } from "./reasons.ts";
import type { Family } from "./wire/address.ts";
import type { FormatError } from "./wire/decoded.ts";
import { decodeRouteRefresh } from "./wire/route-refresh.ts";
import { decodeUpdate } from "./wire/update.ts";

/** A peer that asks for the whole table again and again is answered at this pace. */
export const REFRESH_INTERVAL: Duration = seconds(1);

export interface RouteExchangeOptions extends Omit<AdjRibInOptions, "onIgnored"> {
  readonly clock: Clock;
  readonly localAsn: number;
  /** Routes are to be sent again. */
  readonly onRepeat: () => void;
}

/** The routes of one session in both directions: what is wanted, sent, heard and asked for again. */
export class RouteExchange {
  readonly out = new AdjRibOut();
  readonly in: AdjRibIn;
  readonly #options: RouteExchangeOptions;
  readonly #ignored = noneIgnored();
  readonly #refreshes = new Set<Family>();
  #pause: Timer | undefined;

  constructor(options: RouteExchangeOptions) {
    this.#options = options;
    this.in = new AdjRibIn({ ...options, onIgnored: (reason) => this.#ignore(reason) });
  }

  get ignored(): Readonly<Record<IgnoredReason, number>> {
    return { ...this.#ignored };
  }

  /** What is to be sent now so that the peer has what is wanted. */
  change(agreed: Negotiated, localAddress: string): Change {
    const { families, fourOctetAs, internal } = agreed;
    return this.out.change({ families, fourOctetAs, internal, localAddress, localAsn: this.#options.localAsn });
  }

  /** Takes in an UPDATE; an error ends the session. */
  learn(body: Uint8Array, agreed: Negotiated): FormatError | undefined {
    const update = decodeUpdate(body, agreed.fourOctetAs);
    if (!update.ok) return update.error;
    this.in.learn(update.value, agreed);
    return undefined;
  }

  /** RFC 2918 section 4. Subtypes other than 0 belong to RFC 7313, which is not advertised. */
  refresh(body: Uint8Array, agreed: Negotiated): FormatError | undefined {
    const request = decodeRouteRefresh(body);
    if (!request.ok) return request.error;
    const { family, subtype } = request.value;
    if (family === undefined || subtype !== 0 || !agreed.families.includes(family)) {
      this.#ignore("refresh-not-applicable");
      return undefined;
    }
    this.#refreshes.add(family);
    if (this.#pause === undefined) this.#repeat();
    return undefined;
  }

  /** The session ended: neither side has anything of the other. */
  forget(): void {
    this.#pause?.cancel();
    this.#pause = undefined;
    this.#refreshes.clear();
    this.out.forget();
    this.in.forget();
  }

  #repeat(): void {
    this.#pause = undefined;
    if (this.#refreshes.size === 0) return;
    for (const family of this.#refreshes) this.out.repeat(family);
    this.#refreshes.clear();
    this.#pause = this.#options.clock.after("route-refresh", REFRESH_INTERVAL, () => this.#repeat());
    this.#options.onRepeat();
  }

  #ignore(reason: IgnoredReason): void {
    this.#ignored[reason] += 1;
  }
}
