import { isCut, MESSAGE_AT, NO_ALIAS, packImage, WORD, type Slab } from "../cache/image.ts";
import { LARGEST_MESSAGE, writeHeader, type Alias } from "../upstream/digest.ts";
import { rebuild } from "../upstream/rebuild.ts";
import { HEADER_BYTES } from "../wire/header.ts";
import { decodeMessage, type Message } from "../wire/message.ts";
import { formatName } from "../wire/name.ts";
import { u16 } from "../wire/octets.ts";
import { adoptName, Query } from "../wire/query.ts";
import { CLASS, RCODE } from "../wire/registry.ts";
import { aliasesOf, namesOf } from "./alias-chain.ts";
import type { PolicyRecords } from "./policy-answer.ts";
import { VERDICT, type PolicyJudge, type Verdict } from "./policy-judge.ts";
import type { ReasonCode } from "../reasons.ts";

/** What `instead` makes has the list's number and, in so many bits, the reason in the place of a verdict. */
const REASON_BITS = 8;

const CUT_TEXT = "ends where a list had a name, so that it is asked for anew";

/** Names of local data: what the operator says of them stands. */
export type IsLocal = (name: Uint8Array) => boolean;

/** The first name along an answer that the lists know, what they say to it, and the names that led to it. */
interface Met {
  readonly verdict: Verdict;
  readonly name: Uint8Array;
  readonly passed: readonly Uint8Array[];
}

const NOWHERE: Met = { verdict: VERDICT.none, name: new Uint8Array(), passed: [] };

/**
 * What the lists say of the names that aliases lead to: `innocent.example CNAME tracker.example` is as good as the tracker
 * itself. The names of an answer are looked up in the order of the chain, and the first that any list has decides, an
 * exception too, whatever stands behind it (draft-vixie-dnsop-dns-rpz section 5.1; BIND and unbound do so). Clients get the
 * aliases up to that name, and behind them what the list says.
 *
 * Normal: an answer is judged when it comes, and that it passes is noted in its image; the clients whom it is given from
 * the cache cost one compare. Hard: a reload brings other lists. There is a judge with other words for them, and every
 * image with an alias is judged anew when it is asked for next: the cache has what upstreams said, whatever lists
 * make of it, so that nothing has to be asked again, be a name put on a list or taken off it.
 */
export class AliasJudge {
  /** What stands in an image that these lists let pass, and in one that clients get something else for. */
  readonly passing: number;
  readonly answered: number;
  readonly #judge: PolicyJudge | undefined;
  readonly #isLocal: IsLocal;
  readonly #query = new Query();
  #last: { readonly image: Slab; readonly instead: Slab | undefined } | undefined;

  /** `version`: from 1, another one for every judge that images may have met. */
  constructor(judge: PolicyJudge | undefined, isLocal: IsLocal, version: number) {
    this.#judge = judge;
    this.#isLocal = isLocal;
    this.passing = 2 * version;
    this.answered = 2 * version + 1;
  }

  /** For an image that is about to be kept: that it passes is noted in it. */
  note(image: Slab): void {
    if (image.words[WORD.verdict] !== NO_ALIAS && !this.answers(image, 0)) this.#pass(image, 0);
  }

  /** Whether clients get something else for the image at `at`. */
  answers(slab: Slab, at: number): boolean {
    const message = this.#messageAt(slab, at);
    return message !== undefined && this.#met(message).verdict === VERDICT.answered;
  }

  /** What the lists say on the way to where an alias leads, which nobody has been asked for yet. */
  along({ message, answers }: Pick<Alias, "message" | "answers">): Verdict {
    return this.#judge === undefined ? VERDICT.none : this.#met({ ...message, records: answers }).verdict;
  }

  /** What clients get for the image at `at`; undefined when it passes, which is noted in it. */
  instead(slab: Slab, at: number): Slab | undefined {
    const message = this.#messageAt(slab, at);
    const met = message === undefined ? NOWHERE : this.#met(message);
    if (this.#judge !== undefined && message !== undefined && met.verdict === VERDICT.answered) {
      return answerOf(this.#judge, message, met, slab.words[(at >>> 2) + WORD.tag] ?? 0);
    }
    this.#pass(slab, at);
    return undefined;
  }

  /** The same of one image for the clients that wait for it, who come one after the other. */
  insteadOf(image: Slab): Slab | undefined {
    const verdict = image.words[WORD.verdict];
    if (verdict === NO_ALIAS || verdict === this.passing) return undefined;
    if (this.#last?.image !== image) this.#last = { image, instead: this.instead(image, 0) };
    return this.#last.instead;
  }

  /** For people: where the image at `at` leads, and what answers there; undefined when it passes. */
  textOf(slab: Slab, at: number): string | undefined {
    const message = slab.words[(at >>> 2) + WORD.verdict] === NO_ALIAS ? undefined : this.#messageAt(slab, at);
    const { verdict, name } = message === undefined ? NOWHERE : this.#met(message);
    if (verdict !== VERDICT.answered) return isCut(slab, at) ? CUT_TEXT : undefined;
    return `leads to ${formatName(name)}, which is answered by ${this.#judge?.text ?? ""}`;
  }

  /** The extended error of what `instead` has made, wherever it lies now. */
  extendedOf({ words }: Slab, at: number): Uint8Array | undefined {
    return this.#judge?.extendedOf((words[(at >>> 2) + WORD.verdict] ?? 0) >>> REASON_BITS);
  }

  /** One that was cut short is never given as it is. */
  #pass(slab: Slab, at: number): void {
    if (!isCut(slab, at)) slab.words[(at >>> 2) + WORD.verdict] = this.passing;
  }

  /** When the verdict is an answer, it stands ready in the judge. */
  #met(message: Message): Met {
    const names = namesOf(message);
    const type = u16(message.bytes, message.questionEnd - 4);
    for (const [i, name] of names.entries()) {
      adoptName(this.#query, name, type, CLASS.IN);
      const verdict = this.#judge?.judge(this.#query) ?? VERDICT.none;
      if (verdict === VERDICT.answered && this.#isLocal(name)) continue;
      if (verdict !== VERDICT.none) return { verdict, name, passed: names.slice(0, i) };
    }
    return NOWHERE;
  }

  /** Undefined too where there is no list. */
  #messageAt({ bytes, words }: Slab, at: number): Message | undefined {
    if (this.#judge === undefined) return undefined;
    const length = (words[(at >>> 2) + WORD.lengths] ?? 0) >>> 16;
    const message = decodeMessage(bytes.subarray(at + MESSAGE_AT, at + MESSAGE_AT + length));
    return message.ok ? message.value : undefined;
  }
}

/**
 * What ends at a name that a list answers is of use while one does, and to nobody whose own aliases are an exception
 * (`passes`); everything else is.
 */
export function isOfUse(
  slab: Slab,
  at: number,
  passes: boolean,
  lists: Pick<AliasJudge, "answers"> | undefined,
): boolean {
  return !isCut(slab, at) || (!passes && lists?.answers(slab, at) === true);
}

/** The reason of what `instead` has made. */
export function reasonOf({ words }: Slab, at: number): ReasonCode {
  return (words[(at >>> 2) + WORD.verdict] ?? 0) & (2 ** REASON_BITS - 1);
}

/**
 * The aliases up to the name, whose TTLs go down with those of the answer that they are from, and behind them what the
 * list says, whose TTLs stay as they are with every other answer of a list. Aliases that are too much for a message when
 * they are written out are left out: what is blocked stays blocked.
 */
function answerOf(judge: PolicyJudge, message: Message, { name, passed }: Met, tag: number): Slab {
  const head = message.bytes.subarray(0, message.questionEnd);
  const records = writtenOut(judge.records, name);
  const chain = aliasesOf(message, passed).map((record) => ({ from: message.bytes, record, ttl: record.ttl }));
  const whole = rebuild(head, chain);
  const fits = whole.bytes.length + records.length <= LARGEST_MESSAGE;
  const { bytes, ttlsAt } = fits ? whole : { bytes: head, ttlsAt: [] };
  const answer = Buffer.concat([bytes, records]);
  writeHeader(answer, judge.rcode, ttlsAt.length + judge.records.answers, judge.records.authorities);
  const nameLength = message.questionEnd - 4 - HEADER_BYTES;
  const image = packImage({ message: answer, nameLength, ttlsAt, negative: judge.rcode !== RCODE.NOERROR }, tag);
  image.words[WORD.verdict] = (judge.policy << REASON_BITS) | judge.reason;
  return image;
}

/** What is written for the name of a question, whose owners are pointers into it, for `name` where that stands elsewhere. */
function writtenOut({ bytes, length }: PolicyRecords, name: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < length;) {
    const end = at + 12 + u16(bytes, at + 10);
    parts.push(name.subarray((u16(bytes, at) & 0x3f_ff) - HEADER_BYTES), bytes.slice(at + 2, end));
    at = end;
  }
  return Buffer.concat(parts);
}
