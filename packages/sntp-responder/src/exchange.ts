import { createSocket, type Socket } from "node:dgram";
import type { Clock, Duration, Timer } from "@stitch/clock";
import { formatEndpoint, type Endpoint } from "@stitch/linux-io";

export interface ExchangeOptions<T> {
  readonly to: Endpoint;
  /** Address that the question is sent from; the system's choice without it. */
  readonly from?: string;
  readonly clock: Clock;
  readonly limit: Duration;
  /** Called when the socket is ready, as late as can be: a time in the request is taken here. */
  readonly request: () => Uint8Array;
  /** The value of an answer, or undefined for bytes that are none; those are passed over. */
  readonly accept: (bytes: Uint8Array) => T | undefined;
}

export type Exchanged<T> =
  | { readonly kind: "answer"; readonly value: T }
  | { readonly kind: "none"; readonly detail: string };

/** What a stranger may pour into one exchange before it is given up. */
const MOST_WRONG_ANSWERS = 64;

/**
 * One question, one answer. Each exchange has a socket and so a random port of its own (RFC 9109), connected, so that
 * only the address and port that were asked are heard and a closed port is known at once. Never rejects.
 */
export function exchange<T>(options: ExchangeOptions<T>): Promise<Exchanged<T>> {
  return new Promise((resolve) => {
    const { to, clock, limit } = options;
    const socket = createSocket({ type: to.address.includes(":") ? "udp6" : "udp4", lookup: literal });
    let timer: Timer | undefined;
    let wrong = 0;
    const finish = (result: Exchanged<T>): void => {
      if (timer === undefined) return;
      timer.cancel();
      timer = undefined;
      socket.close();
      resolve(result);
    };
    const fail = (detail: string): void => finish({ kind: "none", detail: `${formatEndpoint(to)} ${detail}` });
    timer = clock.after("exchange-limit", limit, () => fail("does not answer"));
    socket.on("error", (failure) => fail(explained(failure)));
    socket.on("message", (bytes) => {
      const value = options.accept(bytes);
      if (value !== undefined) finish({ kind: "answer", value });
      else if ((wrong += 1) >= MOST_WRONG_ANSWERS) fail("answers with something else");
    });
    send(socket, options, fail, () => timer !== undefined);
  });
}

function send<T>(
  socket: Socket,
  options: ExchangeOptions<T>,
  fail: (detail: string) => void,
  open: () => boolean,
): void {
  const { to, from, request } = options;
  const connect = (): void => {
    if (!open()) return;
    socket.connect(to.port, to.address, () => {
      if (!open()) return;
      socket.send(request(), (failure) => {
        if (failure !== null) fail(explained(failure));
      });
    });
  };
  if (from === undefined) connect();
  else socket.bind({ address: from, port: 0, exclusive: true }, connect);
}

/** Addresses are literals: no resolver is asked. */
function literal(
  host: string,
  _options: unknown,
  done: (failure: NodeJS.ErrnoException | null, address: string, family: number) => void,
): void {
  done(null, host, host.includes(":") ? 6 : 4);
}

function explained(failure: NodeJS.ErrnoException): string {
  return failure.code === "ECONNREFUSED"
    ? "has nobody listening"
    : `cannot be asked (${failure.code ?? failure.message})`;
}
