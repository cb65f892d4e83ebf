import type { Clock } from "@stitch/clock";
import type { Asking, Request } from "./exchange.ts";
import type { StreamResult, Way } from "./stream.ts";
import { Streams } from "./streams.ts";
import { UdpExchanges } from "./udp-exchange.ts";

/** The way to the upstreams and back. */
export interface Transport {
  udp(request: Request): Asking;
  /** Over TCP or TLS; `question` is that of the request as it is to be written. */
  stream(request: Request, question: Uint8Array, way: Way): Asking<StreamResult>;
  /** To be called now and then. */
  tidy(): void;
  close(): Promise<void>;
}

/** Sockets of this machine, at most `most` for UDP. */
export function socketTransport(clock: Clock, most: number): Transport {
  const exchanges = new UdpExchanges(clock, most);
  const streams = new Streams(clock);
  return {
    udp: (request) => exchanges.exchange(request),
    stream: (request, question, way) => streams.exchange(request, question, way),
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
