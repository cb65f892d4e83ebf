import { createSocket } from "node:dgram";
import { EDNS_SIZE } from "../wire/edns.ts";
import { encodeRequest, isAnswerTo, readAnswer, type Exchange, type Request } from "./exchange.ts";

/**
 * Want of something in our own machine: it says nothing about the upstream. A source address that is not here or a packet
 * filter that forbids the way is no such want: it stays until somebody acts, so health must say it.
 */
const OURS = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EADDRINUSE"]);

/**
 * Asks over UDP from a fresh connected socket: the kernel picks a random port for every query and lets through only
 * what comes from the upstream's own address and port.
 */
export function exchangeUdp(request: Request): Promise<Exchange> {
  const { upstream, source, clock, limit } = request;
  const ipv6 = upstream.address.includes(":");
  return new Promise((resolve) => {
    const socket = createSocket({
      type: ipv6 ? "udp6" : "udp4",
      lookup: (host, _options, done) => done(null, host, host.includes(":") ? 6 : 4),
    });
    let open = true;
    const finish = (result: Exchange): void => {
      if (!open) return;
      open = false;
      timer.cancel();
      socket.close();
      resolve(result);
    };
    const timer = clock.after("upstream-udp", limit, () => finish({ kind: "timeout" }));
    socket.on("error", (failure: NodeJS.ErrnoException) => finish(failed(failure)));
    socket.on("message", (bytes) => {
      if (!isAnswerTo(request, bytes)) return request.onIgnored();
      finish(bytes.length > EDNS_SIZE ? { kind: "truncated" } : readAnswer(bytes));
    });
    socket.bind({ port: 0, exclusive: true, ...(source === undefined ? {} : { address: source }) }, () => {
      if (!open) return;
      socket.connect(upstream.port, upstream.address, (failure?: NodeJS.ErrnoException) => {
        // Also called when the network says no at once; sending would then throw, out of reach of whoever waits.
        if (failure instanceof Error) return finish(failed(failure));
        if (open) socket.send(encodeRequest(request), (unsent) => unsent !== null && finish(failed(unsent)));
      });
    });
  });
}

export function failed({ code = "unknown" }: NodeJS.ErrnoException): Exchange {
  return { kind: OURS.has(code) ? "no-socket" : "unreachable", code };
}
