import type { Socket } from "node:net";
import { elapsed, seconds, type Clock, type Duration, type Instant } from "@stitch/clock";
import { framed, Frames } from "../wire/frames.ts";
import { u16 } from "../wire/octets.ts";
import { inOwnCase, matchAnswer, readAnswer, type Exchange, type Request } from "./exchange.ts";
import type { StreamResult, Way } from "./stream.ts";

/**
 * A connection is given up when so many names were not answered in time, and nothing at all was read since they were
 * asked for: a server that was restarted, or a translator of addresses that has forgotten it, says nothing, and TCP takes
 * a quarter of an hour to notice. One slow name counts once, however often and for whatever type it is asked ...
 */
const MOST_MISSED = 3;
/** ... and where nobody asks for another, one is enough after such a silence. */
const LONGEST_SILENCE: Duration = seconds(5);
/**
 * What an upstream, or who has taken its place, may send unasked between two answers. Answers to questions that nobody
 * waits for any more are some of it; a stream of it costs us time and is worth nothing.
 */
const MOST_UNASKED = 64;
const MOST_UNASKED_BYTES = 256 * 2 ** 10;
/** Bytes that wait for an upstream that does not read: what it is asked meanwhile would be kept here for ever. */
const MOST_UNREAD = 256 * 2 ** 10;

/** A question that is on its way over a connection. */
export interface Carried {
  readonly request: Request;
  /** That of the request as it is written. */
  readonly question: Uint8Array;
  readonly way: Way;
  readonly settle: (result: StreamResult) => void;
  /** As it is written, with its id of this connection. */
  message: Uint8Array;
  connection: StreamConnection | undefined;
  putAt: Instant;
  /** Times that something had been read on its connection when it was put. */
  readsBefore: number;
  /** It was put again, and only on a connection of this number or above: an older one may be about to close too. */
  since: number | undefined;
}

/** Called once, with what was on its way and how the connection ended. */
export type OnEnd = (left: readonly Carried[], why: Exchange) => void;

/**
 * One connection to one upstream: questions go out without waiting for answers, which come in any order (RFC 7766 section
 * 6.2.1.1).
 */
export class StreamConnection {
  /** Connections are numbered as they are opened. */
  readonly number: number;
  usedAt: Instant;
  /** Answers so far: a connection that has carried none was never any good. */
  answers = 0;
  readonly #clock: Clock;
  readonly #onIgnored: () => void;
  readonly #onEnd: OnEnd;
  readonly #socket: Socket;
  readonly #carried = new Map<number, Carried>();
  readonly #frames = new Frames();
  #reads = 0;
  /** Names that were not answered in time since something was read, and when the first of them was asked for. */
  readonly #missed = new Set<string>();
  #silentSince: Instant;
  #unasked = 0;
  #unaskedBytes = 0;
  #ready = false;
  #ended = false;

  constructor(number: number, request: Request, way: Way, onEnd: OnEnd) {
    const { clock, onIgnored } = request;
    this.number = number;
    this.#clock = clock;
    this.#onIgnored = onIgnored;
    this.#onEnd = onEnd;
    this.usedAt = clock.now();
    this.#silentSince = clock.now();
    this.#socket = way.open(request, { ready: () => this.#begin(), end: (why) => this.#end(why) });
    this.#socket.on("data", (chunk: Buffer) => this.#read(chunk));
    this.#socket.on("close", () => this.#end(CLOSED));
  }

  get load(): number {
    return this.#carried.size;
  }

  has(id: number): boolean {
    return this.#carried.has(id);
  }

  carry(question: Carried): void {
    question.connection = this;
    question.putAt = this.#clock.now();
    question.readsBefore = this.#reads;
    this.#carried.set(u16(question.message, 0), question);
    this.usedAt = this.#clock.now();
    if (this.#ready) this.#write(question);
  }

  /** Nobody waits for it any more; an answer that still comes is ignored. */
  drop(question: Carried): void {
    const id = u16(question.message, 0);
    if (this.#carried.get(id) === question) this.#carried.delete(id);
  }

  /** A question has not been answered in time. */
  missed({ putAt, question, readsBefore }: Carried): void {
    if (readsBefore !== this.#reads) return;
    if (this.#missed.size === 0) this.#silentSince = putAt;
    const name = question.subarray(0, question.length - 4);
    this.#missed.add(Buffer.from(name).toString("latin1").toLowerCase());
    const isSilent = elapsed(this.#silentSince, this.#clock.now()) >= LONGEST_SILENCE;
    if (isSilent || this.#missed.size >= MOST_MISSED) this.close();
  }

  close(): void {
    this.#end({ kind: "timeout" });
  }

  #begin(): void {
    this.#ready = true;
    for (const question of this.#carried.values()) this.#write(question);
  }

  #write({ message }: Carried): void {
    if (this.#ended) return;
    this.#socket.write(framed(message));
    if (this.#socket.writableLength > MOST_UNREAD) this.#end(CLOSED);
  }

  #read(chunk: Buffer): void {
    this.#reads += 1;
    this.#missed.clear();
    this.#frames.push(chunk);
    for (let frame = this.#frames.next(); frame !== undefined && !this.#ended; frame = this.#frames.next()) {
      this.#take(frame);
    }
  }

  #take(frame: Uint8Array): void {
    const carried = this.#carried.get(u16(frame, 0));
    if (carried === undefined) return this.#ignore(frame);
    const match = matchAnswer(u16(frame, 0), carried.question, frame);
    const caseChanged = match === "case-changed";
    if (match === "other" || (caseChanged && carried.way.exactCase)) return this.#ignore(frame);
    this.drop(carried);
    this.answers += 1;
    this.#unasked = 0;
    this.#unaskedBytes = 0;
    this.usedAt = this.#clock.now();
    const { request } = carried;
    carried.settle({ exchange: inOwnCase(readAnswer(frame, request), request.question), caseChanged });
  }

  #ignore({ length }: Uint8Array): void {
    this.#onIgnored();
    this.#unasked += 1;
    this.#unaskedBytes += length;
    if (this.#unasked > MOST_UNASKED || this.#unaskedBytes > MOST_UNASKED_BYTES) this.#end(CLOSED);
  }

  #end(why: Exchange): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.destroy();
    const left = [...this.#carried.values()];
    this.#carried.clear();
    this.#onEnd(left, why);
  }
}

const CLOSED: Exchange = { kind: "unreachable", code: "closed" };
