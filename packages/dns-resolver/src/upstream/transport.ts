import type { Clock } from "@stitch/clock";
import type { Asking, Request } from "./exchange.ts";
import { TlsWay } from "../tls/tls-way.ts";
import type { TlsTrust } from "../tls/trust.ts";
import type { StreamResult, Way } from "./stream.ts";
import { Streams } from "./streams.ts";
import { TCP_WAY } from "./tcp-way.ts";
import { UdpExchanges } from "./udp-exchange.ts";

/** The way to the upstreams and back. */
export interface Transport {
  udp(request: Request): Asking;
  /** Over TLS, or over TCP without `trust`; `question` is that of the request as it is to be written. */
  stream(request: Request, question: Uint8Array, trust: TlsTrust | undefined): Asking<StreamResult>;
  /** To be called now and then. */
  tidy(): void;
  close(): Promise<void>;
}

/** Sockets of this machine, at most `most` for UDP. */
export function socketTransport(clock: Clock, most: number): Transport {
  const exchanges = new UdpExchanges(clock, most);
  const streams = new Streams(clock);
  /** By the upstream's own trust, with which it goes: sessions of one are never offered to another. */
  const ways = new WeakMap<TlsTrust, Way>();
  const wayOf = (trust: TlsTrust): Way => {
    const way = ways.get(trust) ?? new TlsWay(trust);
    ways.set(trust, way);
    return way;
  };
  return {
    udp: (request) => exchanges.exchange(request),
    stream: (request, question, trust) =>
      streams.exchange(request, question, trust === undefined ? TCP_WAY : wayOf(trust)),
    tidy: () => {
      exchanges.tidy();
      streams.tidy();
    },
    close: () => {
      streams.close();
      return exchanges.close();
    },
  };
}
