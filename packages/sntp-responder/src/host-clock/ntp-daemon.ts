import { randomFillSync } from "node:crypto";
import { elapsed, scaled, type Clock, type Duration, type Instant } from "@stitch/clock";
import { formatEndpoint, type Endpoint } from "@stitch/linux-io";
import { exchange } from "../exchange.ts";
import { decodeServerReply, encodeClientRequest, type ServerReply } from "../wire/client.ts";
import { secondsOfShort } from "../wire/timestamp.ts";
import { wallMicrosOf, type Header } from "../wire/index.ts";
import { OWN_PRECISION, type ClockReading } from "./clock-state.ts";
import type { ClockSource, SourceAnswer } from "./source.ts";

const MICROS = 1e6;
/**
 * Microseconds. On one host a longer round trip means that one side was not scheduled, which says nothing about the clock;
 * so the question is put again, and the quickest answer counts (the clock filter of RFC 5905 section 10, in small).
 */
const GOOD_ROUND_TRIP = 5_000;
const MOST_QUESTIONS = 3;

interface Sample {
  readonly roundTrip: number;
  readonly reading: ClockReading;
}

/** The state of the host's clock from whatever NTP daemon disciplines it, asked as a client would. */
export class NtpDaemonSource implements ClockSource {
  readonly name: string;
  readonly #at: Endpoint;
  readonly #clock: Clock;

  constructor(at: Endpoint, clock: Clock) {
    this.name = `ntp ${formatEndpoint(at)}`;
    this.#at = at;
    this.#clock = clock;
  }

  async read(limit: Duration): Promise<SourceAnswer> {
    const began = this.#clock.now();
    let best: Sample | undefined;
    let detail = "";
    for (let i = 0; i < MOST_QUESTIONS && elapsed(began, this.#clock.now()) < limit; i += 1) {
      const sample = await this.#ask(scaled(limit, 1 / MOST_QUESTIONS));
      if (sample.kind === "none") detail = sample.detail;
      else if (best === undefined || sample.roundTrip < best.roundTrip) best = sample;
      if (best === undefined || best.roundTrip <= GOOD_ROUND_TRIP) break;
    }
    return best === undefined ? { kind: "none", detail } : { kind: "reading", reading: best.reading };
  }

  async #ask(limit: Duration): Promise<({ kind: "sample" } & Sample) | Extract<SourceAnswer, { kind: "none" }>> {
    const clock = this.#clock;
    const cookie = randomFillSync(new Uint8Array(8));
    let asked = clock.now();
    let sent = 0;
    const answer = await exchange<ServerReply>({
      to: this.#at,
      clock,
      limit,
      request: () => {
        asked = clock.now();
        sent = clock.wallMicros();
        return encodeClientRequest(cookie);
      },
      accept: (bytes) => decodeServerReply(bytes, cookie),
    });
    if (answer.kind === "none") return answer;
    return { kind: "sample", ...sampleOf(answer.value, { asked, sent, arrived: clock.wallMicros() }) };
  }
}

interface Moments {
  readonly asked: Instant;
  /** Wall time, microseconds, of the same moment. */
  readonly sent: number;
  readonly arrived: number;
}

function sampleOf(header: Header, { asked, sent, arrived }: Moments): Sample {
  const { offset, roundTrip } = measured(header, sent, arrived);
  // Where the daemon serves another time than the system clock (it slews, or does not discipline it), we serve the latter.
  const unexplained = Math.max(0, Math.abs(offset) - roundTrip / 2);
  const reading: ClockReading = {
    at: asked,
    leap: header.leap,
    stratum: header.stratum,
    precision: Math.max(header.precision, OWN_PRECISION),
    referenceId: header.referenceId,
    reference: header.reference,
    rootDelay: secondsOfShort(header.rootDelay),
    rootDispersion: secondsOfShort(header.rootDispersion) + (roundTrip / 2 + unexplained) / MICROS,
  };
  return { roundTrip, reading };
}

/** Microseconds, RFC 5905 section 8. */
function measured(header: Header, sent: number, arrived: number): { offset: number; roundTrip: number } {
  const received = wallMicrosOf(header.receive, sent);
  const answered = wallMicrosOf(header.transmit, sent);
  return {
    offset: (received - sent + (answered - arrived)) / 2,
    roundTrip: Math.max(0, arrived - sent - (answered - received)),
  };
}
