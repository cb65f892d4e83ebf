import { randomFillSync } from "node:crypto";
import type { Clock, Duration } from "@stitch/clock";
import type { Probe, ProbeResult } from "@stitch/health";
import { formatEndpoint, type Endpoint } from "@stitch/linux-io";
import { exchange } from "./exchange.ts";
import { decodeServerReply, encodeClientRequest, type ServerReply } from "./wire/client.ts";
import { HEADER_BYTES } from "./wire/packet.ts";
import { wallMicrosOf } from "./wire/timestamp.ts";

/**
 * Microseconds by which a served time may lie outside of the interval between our question and its answer: both ends
 * read the same clock, so only rounding and the random bits may.
 */
const TOLERANCE = 1_000;

interface Answered {
  readonly reply: ServerReply | undefined;
  readonly length: number;
}

/**
 * Asks the time as a client would, from a loopback address through each VIP socket in turn. An answer that says
 * "unsynchronised" is a right answer: the verdict then fails for the clock's own reason.
 */
export function selfProbe(vips: readonly Endpoint[], clock: Clock): Probe {
  let turn = 0;
  return async (limit: Duration): Promise<ProbeResult> => {
    const to = vips[turn++ % vips.length];
    if (to === undefined) return { kind: "silent", detail: "no address to ask" };
    const cookie = randomFillSync(new Uint8Array(8));
    let sent = 0;
    const answer = await exchange<Answered>({
      to,
      from: to.address.includes(":") ? "::1" : "127.0.0.1",
      clock,
      limit,
      request: () => {
        sent = clock.wallMicros();
        return encodeClientRequest(cookie);
      },
      accept: (bytes) => ({ reply: decodeServerReply(bytes, cookie), length: bytes.length }),
    });
    if (answer.kind === "none") return { kind: "silent", detail: answer.detail };
    const fault = faultOf(answer.value, sent, clock.wallMicros());
    return fault === undefined ? { kind: "answered" } : { kind: "wrong", detail: `${formatEndpoint(to)} ${fault}` };
  };
}

/** What is wrong with the answer to a question sent and answered at these wall times; undefined when nothing is. */
export function faultOf({ reply, length }: Answered, sent: number, arrived: number): string | undefined {
  if (reply === undefined || length !== HEADER_BYTES) return "does not answer with a reply to what was asked";
  const received = wallMicrosOf(reply.receive, sent);
  const answered = wallMicrosOf(reply.transmit, sent);
  if (received > answered) return "claims to have answered before it was asked";
  const inside = received >= sent - TOLERANCE && answered <= arrived + TOLERANCE;
  return inside ? undefined : "serves a time that is not the clock's";
}
