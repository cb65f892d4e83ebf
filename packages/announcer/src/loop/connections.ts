import type { Socket } from "node:net";
import { tcpState } from "@stitch/linux-io";

/** Whether the peer's TCP has all that was sent; undefined where that cannot be known. */
export type Acknowledged = (peer: string) => boolean | undefined;

/** The open connection of each peer, to ask the kernel what became of the bytes. */
export class Connections {
  readonly #sockets = new Map<string, Socket>();
  readonly #peers: () => readonly { readonly address: string }[];

  constructor(peers: () => readonly { readonly address: string }[]) {
    this.#peers = peers;
  }

  opened(peer: string, socket: Socket): void {
    this.#sockets.set(peer, socket);
    socket.once("close", () => {
      if (this.#sockets.get(peer) === socket) this.#sockets.delete(peer);
    });
  }

  /** By TCP_INFO: nothing waits to be sent, nothing waits for its acknowledgement. */
  readonly acknowledged: Acknowledged = (peer) => {
    const socket = this.#sockets.get(peer);
    const state = socket === undefined || this.#isAmbiguous(peer) ? undefined : tcpState(socket);
    return state && state.unacknowledged === 0 && state.notSentBytes === 0;
  };

  /** Two peers at one address (two ports) cannot be told apart in the journal: nothing is said of them. */
  #isAmbiguous(peer: string): boolean {
    return this.#peers().filter(({ address }) => address === peer).length > 1;
  }
}
