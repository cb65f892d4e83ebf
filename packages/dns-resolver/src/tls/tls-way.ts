import { connect, type TLSSocket } from "node:tls";
import { failed, type Exchange, type Request } from "../upstream/exchange.ts";
import type { StreamEvents, Way } from "../upstream/stream.ts";
import { OPT_BYTES } from "../wire/edns.ts";
import { padded, QUERY_BLOCK } from "./padding.ts";
import { isTrusted, trustOptions, type TlsTrust } from "./trust.ts";

/**
 * Over TLS to one upstream (RFC 7858). Nothing is written before the other side has proved who it is; a certificate that
 * is not the upstream's ends the attempt, and nothing is ever asked in the clear instead.
 */
export class TlsWay implements Way {
  readonly exactCase = true;
  readonly #trust: TlsTrust;
  /** Of an earlier connection whose key was verified; each is used once (RFC 8446 appendix C.4). */
  #session: Buffer | undefined;

  constructor(trust: TlsTrust) {
    this.#trust = trust;
  }

  open({ upstream, source }: Request, on: StreamEvents): TLSSocket {
    const session = this.#session;
    this.#session = undefined;
    const socket = connect({
      host: upstream.address,
      port: upstream.port,
      ...(source === undefined ? {} : { localAddress: source }),
      ...(session === undefined ? {} : { session }),
      ...trustOptions(this.#trust),
    });
    let ready = false;
    socket.setNoDelay(true);
    socket.on("secureConnect", () => {
      if (!isTrusted(socket, this.#trust)) return on.end({ kind: "untrusted", code: "pin" });
      ready = true;
      on.ready();
    });
    socket.on("session", (next: Buffer) => {
      if (ready) this.#session = next;
    });
    socket.on("error", (failure: NodeJS.ErrnoException) => on.end(endOf(failure)));
    return socket;
  }

  written(message: Uint8Array, edns: boolean): Uint8Array {
    if (!edns) return message; // padding is an option of EDNS
    return padded(message, message.length - OPT_BYTES, QUERY_BLOCK);
  }
}

/** Errors of the handshake have names of OpenSSL or of Node's check of the certificate; those of the system are errnos. */
function endOf({ code = "unknown" }: NodeJS.ErrnoException): Exchange {
  return UNTRUSTED.test(code) ? { kind: "untrusted", code } : failed(code);
}

const UNTRUSTED = /CERT|SIGNED|ISSUER|VERIFY|HOSTNAME/;
