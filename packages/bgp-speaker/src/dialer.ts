import { connect, type Socket } from "node:net";

import type { ConnectTarget, SocketOption } from "./transport.ts";

/**
 * Opens a TCP connection. The one below is node:net's; one with native code behind it can set more, and is handed to
 * TcpTransport by whoever has it.
 */
export interface Dialer {
  readonly sets: readonly SocketOption[];
  /**
   * Resolves with a connected socket that nobody reads yet, rejects with an Error whose message is for people. When
   * `signal` aborts, the attempt is given up: the session does so after CONNECT_TIMEOUT, so a limit of the dialer's own
   * must be longer, or a peer that does not answer looks like one that refuses.
   */
  dial(target: ConnectTarget, signal: AbortSignal): Promise<Socket>;
}

/** node:net alone: an address to connect from, and none of the socket options. */
export const PLAIN_DIALER: Dialer = {
  sets: [],
  dial: ({ address, port, localAddress }, signal) =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: address, port, ...(localAddress === undefined ? {} : { localAddress }) });
      const abort = (): void => void socket.destroy(new Error("given up"));
      signal.addEventListener("abort", abort, { once: true });
      socket.once("connect", () => {
        signal.removeEventListener("abort", abort);
        socket.removeListener("error", reject);
        resolve(socket);
      });
      socket.once("error", reject);
    }),
};
