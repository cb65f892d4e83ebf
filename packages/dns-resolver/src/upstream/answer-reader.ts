import type { Message } from "../wire/message.ts";
import { adoptName, Query } from "../wire/query.ts";
import { CLASS } from "../wire/registry.ts";
import { digest, type Digest, type TtlLimits } from "./digest.ts";
import { NOBODY, type Flight, type Names } from "./flight.ts";

/** As they are when an answer is read: a reload changes them. */
export interface ReaderOptions extends TtlLimits {
  readonly names: Names;
}

/** Reads what upstreams answer. One for all questions: it knows whose answer is under hand, and makes nothing for each. */
export class AnswerReader {
  readonly #options: () => ReaderOptions;
  readonly #scratch = new Query();
  /** While an answer is read. */
  #flight: Flight | undefined;

  constructor(options: () => ReaderOptions) {
    this.#options = options;
  }

  /** What an upstream of the flight's route says to it. */
  read(message: Message, flight: Flight): Digest {
    this.#flight = flight;
    const result = digest(message, flight.dnssecOk, this.#options(), this.#isOwn, this.#isAskedHere);
    this.#flight = undefined;
    return result;
  }

  readonly #isAskedHere = (name: Uint8Array): boolean => this.#placeOf(name) === this.#flight?.place;

  readonly #isOwn = (name: Uint8Array): boolean => {
    const place = this.#placeOf(name);
    return place === this.#flight?.place || place === NOBODY;
  };

  #placeOf(name: Uint8Array): number {
    adoptName(this.#scratch, name, this.#flight?.type ?? 0, CLASS.IN);
    return this.#options().names.placeOf(this.#scratch);
  }
}
