import { randomBytes } from "node:crypto";
import { failed, passed, type PollResult, type Probe } from "./observer.ts";
import { exchange, type UdpTarget } from "./udp.ts";
import { decodeReply, encodeRequest, type NtpReply } from "./wire/ntp.ts";

/** Asks for the time. A server that says it has none is dead, not degraded: false time is worse than none. */
export function ntpProbe(check: UdpTarget): Probe {
  return (signal) => {
    const cookie = randomBytes(8);
    const read = (answer: Uint8Array): PollResult | undefined => {
      const reply = decodeReply(answer, cookie);
      return reply === undefined ? undefined : judge(reply);
    };
    return exchange(check, { request: encodeRequest(cookie), read }, signal);
  };
}

function judge(reply: NtpReply): PollResult {
  switch (reply.kind) {
    case "time":
      return passed(`serves time at stratum ${reply.stratum}`);
    case "unsynchronised":
      return failed(`says that its clock is not synchronised (stratum ${reply.stratum})`);
    case "kiss":
      return failed(`answered with the kiss code ${reply.code} instead of time`);
  }
}
