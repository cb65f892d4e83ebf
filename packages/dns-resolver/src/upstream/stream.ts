import type { Socket } from "node:net";
import type { Exchange, Request } from "./exchange.ts";

/** What came of a question over a stream. */
export interface StreamResult {
  readonly exchange: Exchange;
  /** It was answered in another case than it was asked: here nobody but the upstream can have done that. */
  readonly caseChanged: boolean;
}

/** What a connection hears of the socket under it, beside its bytes. */
export interface StreamEvents {
  /** Questions may be written from now on. */
  readonly ready: () => void;
  readonly end: (why: Exchange) => void;
}

/** A kind of stream to one upstream: how connections are opened, and what is written on them. */
export interface Way {
  /** Only an answer with the letters of the question as they were asked is one. */
  readonly exactCase: boolean;
  /** May throw what the system does not take. */
  open(request: Request, on: StreamEvents): Socket;
  /** The message as it is written, its length in front not included; `edns`: an OPT record is the last of it. */
  written(message: Uint8Array, edns: boolean): Uint8Array;
}
