import { createSocket, type Socket } from "node:dgram";
import type { HostPort } from "@stitch/config";
import type { PollResult } from "./observer.ts";

export interface UdpTarget {
  readonly target: HostPort;
  readonly localAddress: string | undefined;
}

export interface Exchange {
  readonly request: Uint8Array;
  /** What a datagram means; undefined when it is not the answer, so that the wait goes on. */
  readonly read: (answer: Uint8Array) => PollResult | undefined;
}

/**
 * Sends one datagram and reads until something is the answer. The socket is connected: the kernel drops what comes from
 * elsewhere and reports a closed port; a new one per exchange takes a new source port, as clients do.
 */
export async function exchange({ target, localAddress }: UdpTarget, what: Exchange, signal: AbortSignal) {
  const socket = openSocket(target.address);
  const end = (): void => void socket.emit("error", new Error("given up"));
  signal.addEventListener("abort", end, { once: true });
  try {
    return await new Promise<PollResult>((resolve, reject) => {
      socket.on("error", reject);
      socket.on("message", (answer) => {
        const result = what.read(answer);
        if (result !== undefined) resolve(result);
      });
      const send = (): void => socket.send(what.request, (failure) => failure && reject(failure));
      const dial = (): void => void socket.connect(target.port, target.address, send);
      if (localAddress === undefined) dial();
      else socket.bind({ address: localAddress, port: 0, exclusive: true }, dial);
    });
  } finally {
    signal.removeEventListener("abort", end);
    socket.close();
  }
}

/** Sends one datagram for which no answer is due; rejects when the system refuses it. */
export async function sendOnly({ target, localAddress }: UdpTarget, datagram: Uint8Array): Promise<void> {
  const socket = openSocket(target.address);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.on("error", reject);
      const send = (): void =>
        socket.send(datagram, target.port, target.address, (failure) =>
          failure === null ? resolve() : reject(failure),
        );
      if (localAddress === undefined) send();
      else socket.bind({ address: localAddress, port: 0, exclusive: true }, send);
    });
  } finally {
    socket.close();
  }
}

/** Addresses are taken as they are: nothing here asks a resolver. */
function openSocket(address: string): Socket {
  const family = address.includes(":") ? 6 : 4;
  return createSocket({
    type: family === 6 ? "udp6" : "udp4",
    lookup: (host, _options, done) => done(null, host, family),
  });
}
