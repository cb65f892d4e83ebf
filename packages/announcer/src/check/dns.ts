import { randomInt } from "node:crypto";
import { failed, passed, type PollResult, type Probe } from "./observer.ts";
import { exchange, type UdpTarget } from "./udp.ts";
import { decodeAnswer, encodeQuery, type DnsAnswer, type QueryType } from "./wire/dns.ts";

export interface DnsCheck extends UdpTarget {
  /** Wire form. */
  readonly name: Uint8Array;
  readonly type: QueryType;
}

/**
 * Asks as a client would. NOERROR and NXDOMAIN are answers. SERVFAIL is one too, of a resolver whose upstreams are gone:
 * degraded, since taking its route away at every site at once would leave nobody (the lesson of 2021-10-04).
 */
export function dnsProbe(check: DnsCheck): Probe {
  return (signal) => {
    const request = encodeQuery(randomInt(0x1_0000), check.name, check.type);
    const read = (answer: Uint8Array): PollResult | undefined => {
      const decoded = decodeAnswer(answer, request);
      return decoded === undefined ? undefined : judge(decoded);
    };
    return exchange(check, { request, read }, signal);
  };
}

function judge({ rcodeName, answers }: DnsAnswer): PollResult {
  switch (rcodeName) {
    case "NOERROR":
    case "NXDOMAIN":
      return passed(`answered ${rcodeName} with ${answers} records`);
    case "SERVFAIL":
      return { verdict: "degraded", detail: "answered SERVFAIL: it serves, but cannot resolve" };
    default:
      return failed(`answered ${rcodeName}`);
  }
}
