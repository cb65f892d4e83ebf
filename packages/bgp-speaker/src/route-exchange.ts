import { type Clock, type Duration, seconds, type Timer } from "@stitch/clock";

import { AdjRibIn, type AdjRibInOptions } from "./adj-rib-in.ts";
import { AdjRibOut, type Change } from "./adj-rib-out.ts";
import type { NextHops } from "./advertisement.ts";
import type { Negotiated } from "./negotiate.ts";
import { type IgnoredReason, noneIgnored } from "./reasons.ts";
import type { Family } from "./wire/address.ts";
import type { FormatError } from "./wire/decoded.ts";
import { decodeRouteRefresh, encodeRouteRefresh, type RefreshPart } from "./wire/route-refresh.ts";
import { decodeUpdate } from "./wire/update.ts";

/** A peer that asks for the whole table again and again is answered at this pace. */
export const REFRESH_INTERVAL: Duration = seconds(1);

/** A peer that begins to repeat its routes and never ends (RFC 7313 section 4): after this, what it left out is gone. */
export const REFRESH_END_WAIT: Duration = seconds(60);

export interface RouteExchangeOptions extends Omit<AdjRibInOptions, "onIgnored"> {
  readonly clock: Clock;
  readonly nextHops?: NextHops | undefined;
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
  /** Families whose repetition has not been written yet, because the peer did not take data. */
  readonly #repeating = new Set<Family>();
  /** Ends a repetition of the peer's that does not end by itself. */
  readonly #endWaits = new Map<Family, Timer>();
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
    const { localAsn, mark, nextHops } = this.#options;
    const change = this.out.change({ families, fourOctetAs, internal, localAddress, localAsn, mark, nextHops });
    const marked = agreed.enhancedRouteRefresh ? [...this.#repeating] : [];
    this.#repeating.clear();
    const around = (part: RefreshPart): Uint8Array[] => marked.map((family) => encodeRouteRefresh(family, part));
    return { ...change, messages: [...around("begin"), ...change.messages, ...around("end")] };
  }

  /** Takes in an UPDATE; an error ends the session. */
  learn(body: Uint8Array, agreed: Negotiated): FormatError | undefined {
    const update = decodeUpdate(body, { fourOctet: agreed.fourOctetAs, internal: agreed.internal });
    if (!update.ok) return update.error;
    this.in.learn(update.value, agreed);
    return undefined;
  }

  /** A request of the peer's (RFC 2918 section 4), or the begin or end of its answer to ours (RFC 7313 section 4). */
  refresh(body: Uint8Array, agreed: Negotiated): FormatError | undefined {
    const read = decodeRouteRefresh(body, agreed.enhancedRouteRefresh);
    if (!read.ok) return read.error;
    const { family, part } = read.value;
    const known = part === "request" || (part !== undefined && agreed.enhancedRouteRefresh);
    if (family === undefined || !known || !agreed.families.includes(family)) this.#ignore("refresh-not-applicable");
    else if (part === "begin") this.#begin(family);
    else if (part === "end") this.#end(family);
    else this.#repeatSoon(family);
    return undefined;
  }

  /** The session ended: neither side has anything of the other. */
  forget(): void {
    this.#pause?.cancel();
    this.#pause = undefined;
    this.#refreshes.clear();
    this.#repeating.clear();
    for (const timer of this.#endWaits.values()) timer.cancel();
    this.#endWaits.clear();
    this.out.forget();
    this.in.forget();
  }

  /** A begin within a repetition starts it over. */
  #begin(family: Family): void {
    this.#endWaits.get(family)?.cancel();
    const over = (): void => this.#end(family);
    this.#endWaits.set(family, this.#options.clock.after("refresh-end", REFRESH_END_WAIT, over));
    this.in.refreshBegun(family);
  }

  #end(family: Family): void {
    this.#endWaits.get(family)?.cancel();
    this.#endWaits.delete(family);
    this.in.refreshEnded(family);
  }

  #repeatSoon(family: Family): void {
    this.#refreshes.add(family);
    if (this.#pause === undefined) this.#repeat();
  }

  #repeat(): void {
    this.#pause = undefined;
    if (this.#refreshes.size === 0) return;
    for (const family of this.#refreshes) {
      this.out.repeat(family);
      this.#repeating.add(family);
    }
    this.#refreshes.clear();
    this.#pause = this.#options.clock.after("route-refresh", REFRESH_INTERVAL, () => this.#repeat());
    this.#options.onRepeat();
  }

  #ignore(reason: IgnoredReason): void {
    this.#ignored[reason] += 1;
  }
}
