import type { Clock, Timer } from "@stitch/clock";
import {
  encodeRequest,
  inOwnCase,
  matchAnswer,
  readAnswer,
  type Asking,
  type Exchange,
  type Request,
} from "../../src/upstream/exchange.ts";
import { MixedCase } from "../../src/upstream/mixed-case.ts";
import type { StreamResult } from "../../src/upstream/stream.ts";
import type { Transport } from "../../src/upstream/transport.ts";
import { HEADER_BYTES } from "../../src/wire/header.ts";
import { isBelow, lowerName } from "../../src/wire/name.ts";
import { put16, u16 } from "../../src/wire/octets.ts";
import { decodeQuery, Query } from "../../src/wire/query.ts";
import { messageOf } from "./message.ts";
import type { Entry, Range } from "./rpl.ts";

/** A question that has reached an upstream and is not answered. */
interface Asked {
  readonly request: Request;
  readonly bytes: Uint8Array;
  /** As it was written. */
  readonly question: Uint8Array;
  readonly tcp: boolean;
  readonly take: (answer: Uint8Array) => void;
}

/** The upstreams of a scenario, without a network: what is asked is answered by the ranges, by a step, or never. */
export class ScriptedUpstreams implements Transport {
  step = 0;
  asked = 0;
  readonly #ranges: readonly Range[];
  readonly #clock: Clock;
  readonly #mixedCase = new MixedCase();
  readonly #pending = new Set<Asked>();

  constructor(ranges: readonly Range[], clock: Clock) {
    this.#ranges = ranges;
    this.#clock = clock;
  }

  udp(request: Request): Asking {
    const { promise: result, resolve } = Promise.withResolvers<Exchange>();
    let timer: Timer | undefined;
    const finish = (exchange: Exchange): void => {
      timer?.cancel();
      this.#pending.delete(asked);
      resolve(exchange);
    };
    const end = (): void => finish({ kind: "timeout" });
    timer = this.#clock.after("scripted-udp", request.limit, () => {
      timer = this.#clock.after("scripted-late", request.late, end);
      request.onOverdue();
    });
    const asked = this.#ask(request, false, (answer) => {
      const match = matchAnswer(request.id, asked.question, answer);
      if (match === "other") request.onIgnored();
      else finish(match === "answer" ? inOwnCase(readAnswer(answer, request), request.question) : { kind: match });
    });
    return { result, end };
  }

  stream(request: Request, question: Uint8Array): Asking<StreamResult> {
    const { promise: result, resolve } = Promise.withResolvers<StreamResult>();
    const give = (exchange: Exchange): void => {
      timer.cancel();
      this.#pending.delete(asked);
      resolve({ exchange, caseChanged: false });
    };
    const timer = this.#clock.after("scripted-tcp", request.limit, () => give({ kind: "timeout" }));
    const asked = this.#ask(
      request,
      true,
      (answer) => give(inOwnCase(readAnswer(answer, request), request.question)),
      question,
    );
    return { result, end: () => give({ kind: "timeout" }) };
  }

  tidy(): void {}

  async close(): Promise<void> {}

  /** Whether a question that matches waits for an answer. */
  waitsFor(entry: Entry): boolean {
    return this.#first(entry) !== undefined;
  }

  /** Answers the question that matches and has waited longest; false when none does. */
  reply(entry: Entry): boolean {
    const asked = this.#first(entry);
    asked?.take(answerTo(asked, entry));
    return asked !== undefined;
  }

  #first(entry: Entry): Asked | undefined {
    return [...this.#pending].find((asked) => matches(entry, asked));
  }

  #ask(request: Request, tcp: boolean, take: Asked["take"], written?: Uint8Array): Asked {
    const question = written ?? (request.mixedCase ? this.#mixedCase.mix(request.question) : request.question);
    const asked = { request, bytes: encodeRequest(request, question), question, tcp, take };
    this.asked += 1;
    this.#pending.add(asked);
    const entry = this.#ranges
      .filter(
        ({ first, last, address }) => first <= this.step && this.step <= last && address === request.upstream.address,
      )
      .flatMap(({ entries }) => entries)
      .find((each) => matches(each, asked));
    // Not before the asker has got hold of its question.
    if (entry !== undefined) queueMicrotask(() => take(answerTo(asked, entry)));
    return asked;
  }
}

function matches({ match, sections, reply }: Entry, { bytes, tcp }: Asked): boolean {
  const query = new Query();
  decodeQuery(bytes, 0, bytes.length, query);
  const wanted = messageOf({
    line: 0,
    match,
    adjust: new Set(),
    reply: new Set(),
    sections: { ...sections, ANSWER: [], AUTHORITY: [], ADDITIONAL: [] },
  });
  const name = query.key.slice(0, query.nameLength);
  const wantedName = lowerName(wanted.slice(HEADER_BYTES, wanted.length - 4));
  return (
    (!match.has("qtype") || u16(wanted, wanted.length - 4) === query.type) &&
    (!match.has("qname") || Buffer.from(wantedName).equals(name)) &&
    (!match.has("subdomain") || isBelow(name, wantedName)) &&
    (!match.has("UDP") || !tcp) &&
    (!match.has("TCP") || tcp) &&
    (!match.has("DO") || query.dnssecOk) &&
    (!match.has("EDNS") || query.edns) &&
    (!match.has("NOEDNS") || !query.edns) &&
    reply !== undefined
  );
}

/** With copy_id the id and the question are as they were asked; without it the answer is a stranger's. */
function answerTo({ request, question }: Asked, entry: Entry): Uint8Array {
  const answer = messageOf(entry);
  if (!entry.adjust.has("copy_id")) return answer;
  put16(answer, 0, request.id);
  answer.set(question, HEADER_BYTES);
  return answer;
}
