import type { Clock } from "@stitch/clock";
import type { Asking, Request } from "./exchange.ts";
import { exchangeTcp, type TcpResult } from "./tcp-exchange.ts";
import { UdpExchanges } from "./udp-exchange.ts";

/** The way to the upstreams and back. */
export interface Transport {
  udp(request: Request): Asking;
  /** `question` is that of the request as it is to be written. */
  tcp(request: Request, question: Uint8Array): Promise<TcpResult>;
  /** To be called now and then. */
  tidy(): void;
  close(): Promise<void>;
}

/** Sockets of this machine, at most `most` for UDP. */
export function socketTransport(clock: Clock, most: number): Transport {
  const exchanges = new UdpExchanges(clock, most);
  return {
    udp: (request) => exchanges.exchange(request),
    tcp: exchangeTcp,
    tidy: () => exchanges.tidy(),
    close: () => exchanges.close(),
  };
}
