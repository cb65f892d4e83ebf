import { connect, type TLSSocket } from "node:tls";
import type { Clock, Instant } from "@stitch/clock";
import { failed, matchAnswer, readAnswer, type Exchange, type Request } from "../upstream/exchange.ts";
import { framed } from "../upstream/tcp-exchange.ts";
import { Frames } from "../wire/frames.ts";
import { u16 } from "../wire/octets.ts";
import { isTrusted, trustOptions, type TlsTrust } from "./trust.ts";

/**
 * Questions in a row that were not answered in time after which a connection is given up: a server that was restarted, or a
 * translator of addresses that has forgotten it, says nothing, and TCP takes a quarter of an hour to notice.
 */
const MOST_MISSED = 3;

/** A question that is on its way over a connection. */
export interface Carried {
  readonly request: Request;
  /** As it is written, with its id of this connection. */
  message: Uint8Array;
  readonly settle: (result: Exchange) => void;
  connection: TlsConnection | undefined;
  /** It was put again, on another connection. */
  repeated: boolean;
}

export interface TlsConnectionOptions {
  readonly trust: TlsTrust;
  /** Of an earlier connection to the same upstream, whose key was verified. */
  readonly session: Buffer | undefined;
  readonly onSession: (session: Buffer) => void;
  /** Called once, with what was on its way and how the connection ended. */
  readonly onEnd: (left: readonly Carried[], why: Exchange) => void;
}

/**
 * One connection to one upstream: questions go out without waiting for answers, which come in any order (RFC 7858, RFC
 * 7766 section 6.2.1.1). Nothing is written before the other side has proved who it is.
 */
export class TlsConnection {
  usedAt: Instant;
  /** Answers so far: a connection that has carried none was never any good. */
  answers = 0;
  readonly #options: TlsConnectionOptions;
  readonly #socket: TLSSocket;
  readonly #carried = new Map<number, Carried>();
  readonly #frames = new Frames();
  readonly #clock: Clock;
  #missed = 0;
  #ready = false;
  #ended = false;

  constructor({ upstream, source, clock }: Request, options: TlsConnectionOptions) {
    this.#options = options;
    this.#clock = clock;
    this.usedAt = clock.now();
    const socket = connect({
      host: upstream.address,
      port: upstream.port,
      ...(source === undefined ? {} : { localAddress: source }),
      ...(options.session === undefined ? {} : { session: options.session }),
      ...trustOptions(options.trust),
    });
    socket.setNoDelay(true);
    this.#socket = socket;
    socket.on("secureConnect", () => this.#secured());
    socket.on("session", (session: Buffer) => this.#ready && options.onSession(session));
    socket.on("error", (failure: NodeJS.ErrnoException) => this.#end(endOf(failure)));
    socket.on("close", () => this.#end({ kind: "unreachable", code: "closed" }));
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
  }

  get load(): number {
    return this.#carried.size;
  }

  has(id: number): boolean {
    return this.#carried.has(id);
  }

  carry(question: Carried): void {
    question.connection = this;
    this.#carried.set(u16(question.message, 0), question);
    this.usedAt = this.#clock.now();
    if (this.#ready) this.#socket.write(framed(question.message));
  }

  /** Nobody waits for it any more; an answer that still comes is ignored. */
  drop(question: Carried): void {
    const id = u16(question.message, 0);
    if (this.#carried.get(id) === question) this.#carried.delete(id);
  }

  /** A question has not been answered in time. */
  missed(): void {
    this.#missed += 1;
    if (this.#missed >= MOST_MISSED) this.close();
  }

  close(): void {
    this.#end({ kind: "timeout" });
  }

  #secured(): void {
    if (!isTrusted(this.#socket, this.#options.trust)) return this.#end({ kind: "untrusted", code: "pin" });
    this.#ready = true;
    for (const { message } of this.#carried.values()) this.#socket.write(framed(message));
  }

  #read(chunk: Buffer): void {
    this.#frames.push(chunk);
    for (let frame = this.#frames.next(); frame !== undefined; frame = this.#frames.next()) {
      const carried = this.#carried.get(u16(frame, 0));
      const matches = carried !== undefined && matchAnswer(u16(frame, 0), carried.request.question, frame) === "answer";
      if (!matches) {
        carried?.request.onIgnored();
        continue;
      }
      this.drop(carried);
      this.answers += 1;
      this.#missed = 0;
      this.usedAt = this.#clock.now();
      carried.settle(readAnswer(frame.slice()));
    }
  }

  #end(why: Exchange): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.destroy();
    const left = [...this.#carried.values()];
    this.#carried.clear();
    this.#options.onEnd(left, why);
  }
}

/** Errors of the handshake have names of OpenSSL or of Node's check of the certificate; those of the system are errnos. */
function endOf({ code = "unknown" }: NodeJS.ErrnoException): Exchange {
  return UNTRUSTED.test(code) ? { kind: "untrusted", code } : failed(code);
}

const UNTRUSTED = /CERT|SIGNED|ISSUER|VERIFY|HOSTNAME/;
