import { randomInt } from "node:crypto";
import type { Clock, Duration, Instant } from "@stitch/clock";
import { formatEndpoint, type Endpoint } from "@stitch/linux-io";
import { exchange } from "../exchange.ts";
import { timestampOf } from "../wire/timestamp.ts";
import { decodeTrackingReply, encodeTrackingRequest, type Tracking } from "../wire/tracking.ts";
import { OWN_PRECISION, type ClockReading } from "./clock-state.ts";
import type { ClockSource, SourceAnswer } from "./source.ts";

/** The state of the host's clock from chronyd's command port, which answers on loopback without further ado. */
export class ChronydSource implements ClockSource {
  readonly name: string;
  readonly #at: Endpoint;
  readonly #clock: Clock;

  constructor(at: Endpoint, clock: Clock) {
    this.name = `chronyd ${formatEndpoint(at)}`;
    this.#at = at;
    this.#clock = clock;
  }

  async read(limit: Duration): Promise<SourceAnswer> {
    const clock = this.#clock;
    const sequence = randomInt(2 ** 32);
    let refused = false;
    let asked = clock.now();
    const answer = await exchange<Tracking>({
      to: this.#at,
      clock,
      limit,
      request: () => {
        asked = clock.now();
        return encodeTrackingRequest(sequence);
      },
      accept: (bytes) => {
        const decoded = decodeTrackingReply(bytes, sequence);
        if (!decoded.ok && decoded.error.kind === "status") refused = true;
        return decoded.ok ? decoded.value : undefined;
      },
    });
    if (answer.kind === "answer") return { kind: "reading", reading: readingOf(answer.value, asked) };
    return { kind: "none", detail: refused ? `${this.name} refuses to say how it tracks` : answer.detail };
  }
}

/**
 * What it tracks is what we serve: same clock, same stratum. It serves its own estimate of true time, we the system
 * clock, which is still off by the correction that it is slewing away.
 */
function readingOf(tracking: Tracking, at: Instant): ClockReading {
  return {
    at,
    leap: tracking.leap,
    stratum: tracking.stratum,
    precision: OWN_PRECISION,
    referenceId: tracking.referenceId,
    reference: timestampOf(tracking.referenceMicros),
    rootDelay: tracking.rootDelay,
    rootDispersion: tracking.rootDispersion + Math.abs(tracking.correction),
  };
}
