import { milliseconds, seconds, type Clock, type Duration } from "@stitch/clock";
import {
  encodeRequest,
  matchAnswer,
  readAnswer,
  type Asking,
  type Exchange,
  type Request,
} from "../../src/upstream/exchange.ts";
import type { StreamResult } from "../../src/upstream/stream.ts";
import type { Transport } from "../../src/upstream/transport.ts";
import { AT, HEADER_BYTES, QR, RA, TC } from "../../src/wire/header.ts";
import { put16, put32 } from "../../src/wire/octets.ts";
import { RCODE, TYPE } from "../../src/wire/registry.ts";

/** Of a hundred questions so many are lost, answered after their limit, cut off, or failed. */
const LOST = 2;
const LATE = 2;
const CUT = 3;
const FAILED = 2;
const OUTAGE_EVERY: Duration = seconds(7_200);
const OUTAGE: Duration = seconds(600);

/** Upstreams of an ordinary bad day: loss, lateness, truncation, SERVFAIL, and every two hours an outage of ten minutes. */
export class DayUpstreams implements Transport {
  asked = 0;
  open = 0;
  readonly #clock: Clock;
  readonly #draw: () => number;

  constructor(clock: Clock, draw: () => number) {
    this.#clock = clock;
    this.#draw = draw;
  }

  udp(request: Request): Asking {
    const { promise: result, resolve } = Promise.withResolvers<Exchange>();
    this.asked += 1;
    this.open += 1;
    const fate = this.#draw() * 100;
    let timer = this.#clock.after("day-limit", request.limit, () => {
      timer = this.#clock.after("day-late", request.late, () => finish({ kind: "timeout" }));
      request.onOverdue();
    });
    const finish = (exchange: Exchange): void => {
      if (!isOpen) return;
      isOpen = false;
      this.open -= 1;
      timer.cancel();
      answer?.cancel();
      resolve(exchange);
    };
    let isOpen = true;
    const silent = fate < LOST || this.#isOut();
    const after = fate < LOST + LATE ? 900 : 1 + this.#draw() * 30;
    const answer = silent
      ? undefined
      : this.#clock.after("day-answer", milliseconds(after), () => finish(this.#answered(request, fate, true)));
    return { result, end: () => finish({ kind: "timeout" }) };
  }

  stream(request: Request): Asking<StreamResult> {
    const { promise: result, resolve } = Promise.withResolvers<StreamResult>();
    const give = (exchange: Exchange): void => {
      answer.cancel();
      resolve({ exchange, caseChanged: false });
    };
    const answer = this.#clock.after("day-tcp", milliseconds(20), () => give(this.#answered(request, 100, false)));
    return { result, end: () => give({ kind: "timeout" }) };
  }

  tidy(): void {}

  async close(): Promise<void> {}

  #isOut(): boolean {
    return this.#clock.now() % OUTAGE_EVERY >= OUTAGE_EVERY - OUTAGE;
  }

  #answered(request: Request, fate: number, udp: boolean): Exchange {
    const bytes = answerTo(request, this.#draw);
    const bad = fate - LOST - LATE;
    if (udp && bad >= 0 && bad < CUT) bytes[AT.flags] = QR | TC;
    else if (udp && bad >= CUT && bad < CUT + FAILED) bytes[AT.lowFlags] = RA | RCODE.SERVFAIL;
    if (matchAnswer(request.id, request.question, bytes) !== "answer") throw new Error("an answer that does not match");
    return readAnswer(bytes, request);
  }
}

/** Names that begin with x do not exist, those with a are an alias into the other route, the rest have an address. */
function answerTo(request: Request, draw: () => number): Uint8Array {
  const query = encodeRequest(request, request.question).subarray(0, HEADER_BYTES + request.question.length);
  const first = request.question[1] ?? 0;
  const ttl = Math.ceil(draw() * 3_600);
  const alias = Buffer.from([4, ...Buffer.from("corp"), 4, ...Buffer.from("test"), 0]);
  const soa = Uint8Array.from([0, 0, ...new Uint8Array(16), 0, 0, 0, 60]);
  const data = first === 0x78 ? soa : first === 0x61 ? alias : Uint8Array.of(192, 0, 2, Math.floor(draw() * 250));
  const type = first === 0x78 ? TYPE.SOA : first === 0x61 ? TYPE.CNAME : TYPE.A;
  const record = new Uint8Array(12 + data.length);
  put16(record, 0, 0xc000 | HEADER_BYTES);
  put16(record, 2, type);
  put16(record, 4, 1);
  put32(record, 6, ttl);
  put16(record, 10, data.length);
  record.set(data, 12);
  const bytes = Uint8Array.from([...query, ...record]);
  bytes[AT.flags] = QR;
  bytes[AT.lowFlags] = RA | (first === 0x78 ? RCODE.NXDOMAIN : RCODE.NOERROR);
  put16(bytes, first === 0x78 ? AT.authorities : AT.answers, 1);
  put16(bytes, AT.additionals, 0);
  return bytes;
}
