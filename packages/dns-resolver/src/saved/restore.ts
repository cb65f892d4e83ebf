import { elapsed, seconds, type Clock, type Duration, type Instant } from "@stitch/clock";
import { tickOf, type Cache } from "../cache.ts";
import { packImage, TICKS_PER_SECOND, type ImageParts } from "../cache/image.ts";
import { AT, HEADER_BYTES, QR, RA } from "../wire/header.ts";
import { decodeMessage, type Message } from "../wire/message.ts";
import { lowerName } from "../wire/name.ts";
import { sameBytes, u16 } from "../wire/octets.ts";
import { adoptName, Query } from "../wire/query.ts";
import type { TtlLimits } from "../upstream/digest.ts";
import { relevantAnswers } from "../upstream/relevant.ts";
import type { Route } from "../upstream/upstream.ts";
import { CLASS, RCODE, TYPE } from "../wire/registry.ts";
import {
  AT_ENTRY,
  checksum,
  CHECKSUM_BYTES,
  DO_CD,
  ENTRY_BYTES,
  FINGERPRINT_BYTES,
  HEAD_BYTES,
  HOT,
  MAGIC,
  VERSION,
} from "./layout.ts";
import type { SavedRoute } from "./save.ts";

/** Clients wait for a start, or another site serves them; a cold cache serves sooner than a full one. */
const RESTORE_LIMIT: Duration = seconds(2);
/** Answers between two turns of the event loop. */
const SLICE = 512;

/** Why a saved cache is not used. */
export type SavedFault = "short" | "not-a-cache" | "version" | "checksum" | "from-the-future";

/** Answers that were taken, and those that were not: of routes that have changed, out of time, or not to be read. */
export interface Restored {
  readonly taken: number;
  readonly dropped: number;
}

export interface RestoreOptions {
  readonly cache: Cache;
  readonly clock: Clock;
  readonly routes: readonly SavedRoute[];
  /** The number of the route that answers for the query's name now. */
  readonly routeOf: (query: Query) => number;
  /** Answers that were promised a longer life are left out. */
  readonly limits: TtlLimits;
  /** Called with the number of a route when an answer of it holds an alias; see Route. */
  readonly onAliased: (route: number) => void;
  /** Of a question that has a fresh answer already that one stays. */
  readonly fills?: boolean;
  /** When the time began that restoring may take; now, if it is left out. */
  readonly began?: Instant;
}

/**
 * Puts the answers of a saved cache back, older by the time that has passed on the wall clock. Each is read as if an
 * upstream had just sent it; those of routes that are not as they were are left out, and so are names that another route
 * or local data answers for now. Where the clock says that the file was written in the future, nobody can tell how old the
 * answers are, and none is taken.
 */
export async function restoreCache(bytes: Buffer, options: RestoreOptions): Promise<Restored | SavedFault> {
  const fault = faultOf(bytes);
  if (fault !== undefined) return fault;
  const away = options.clock.wallMicros() - Number(bytes.readBigUInt64BE(12));
  if (away < 0) return "from-the-future";
  return restored(bytes, options, Math.floor((away * TICKS_PER_SECOND) / 1e6));
}

/**
 * The same of what was written at most `away` ago, by a machine whose clock nobody has to trust. What it says of the time
 * of writing counts for nothing.
 */
export async function restoreRecent(
  bytes: Buffer,
  away: Duration,
  options: RestoreOptions,
): Promise<Restored | SavedFault> {
  return faultOf(bytes) ?? restored(bytes, options, Math.ceil((away * TICKS_PER_SECOND) / 1e3));
}

async function restored(bytes: Buffer, options: RestoreOptions, away: number): Promise<Restored> {
  const restorer = new Restorer(bytes, options, away);
  await restorer.run();
  return restorer;
}

function faultOf(bytes: Buffer): SavedFault | undefined {
  if (bytes.length < HEAD_BYTES + CHECKSUM_BYTES) return "short";
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) return "not-a-cache";
  if (bytes.readUInt32BE(8) !== VERSION) return "version";
  if (HEAD_BYTES + FINGERPRINT_BYTES * bytes.readUInt16BE(20) + CHECKSUM_BYTES > bytes.length) return "short";
  const body = bytes.subarray(0, bytes.length - CHECKSUM_BYTES);
  return checksum(body).equals(bytes.subarray(body.length)) ? undefined : "checksum";
}

/** For `onAliased`: the route remembers it. */
export function aliasedIn(routes: ReadonlyMap<number, Route>): (number: number) => void {
  return (number) => {
    const route = routes.get(number);
    if (route !== undefined) route.aliased = true;
  };
}

class Restorer implements Restored {
  taken = 0;
  dropped = 0;
  readonly #bytes: Buffer;
  readonly #options: RestoreOptions;
  readonly #away: number;
  /** When it began: what is read two seconds later is as old as what was read at once. */
  readonly #tick: number;
  readonly #end: number;
  readonly #numbers: readonly (number | undefined)[];
  readonly #query = new Query();
  readonly #target = new Query();

  /** `away`: ticks since the file was written. */
  constructor(bytes: Buffer, options: RestoreOptions, away: number) {
    this.#bytes = bytes;
    this.#options = options;
    this.#away = away;
    this.#tick = tickOf(options.clock.now());
    this.#end = bytes.length - CHECKSUM_BYTES;
    const known = new Map(options.routes.map(({ number, fingerprint }) => [keyOf(fingerprint), number]));
    this.#numbers = Array.from({ length: bytes.readUInt16BE(20) }, (_, i) => {
      const at = HEAD_BYTES + i * FINGERPRINT_BYTES;
      return known.get(keyOf(bytes.subarray(at, at + FINGERPRINT_BYTES)));
    });
  }

  async run(): Promise<void> {
    const { clock, began = clock.now() } = this.#options;
    let at = HEAD_BYTES + this.#numbers.length * FINGERPRINT_BYTES;
    for (let seen = 1; at + ENTRY_BYTES <= this.#end; seen += 1) {
      const end = at + ENTRY_BYTES + this.#bytes.readUInt16BE(at + AT_ENTRY.length);
      if (end > this.#end) return;
      if (this.#take(at, end)) this.taken += 1;
      else this.dropped += 1;
      at = end;
      if (seen % SLICE !== 0) continue;
      if (elapsed(began, clock.now()) > RESTORE_LIMIT) return;
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  #take(at: number, end: number): boolean {
    const { cache, limits, routeOf, onAliased, fills } = this.#options;
    const number = this.#numbers[this.#bytes.readUInt16BE(at + AT_ENTRY.route)];
    const bits = this.#bytes[at + AT_ENTRY.bits] ?? 0;
    const age = this.#bytes.readUInt32BE(at + AT_ENTRY.age);
    const left = this.#bytes.readInt32BE(at + AT_ENTRY.left);
    if (number === undefined || age + left < 0) return false;
    const message = decodeMessage(Uint8Array.from(this.#bytes.subarray(at + ENTRY_BYTES, end)));
    const parts = message.ok ? this.#partsOf(message.value) : undefined;
    if (parts === undefined || !message.ok || routeOf(this.#query) !== number) return false;
    if (age + left > (parts.negative ? limits.negativeTtl : limits.maxTtl) * TICKS_PER_SECOND) return false;
    if (this.#leadsElsewhere(message.value, number)) return false;
    const tag = (number << 2) | (bits & DO_CD);
    const tick = this.#tick;
    if (fills === true && cache.holdsFresh(this.#query, tag, tick)) return false;
    if (parts.aliased === true) onAliased(number);
    return cache.restore(packImage(parts, tag), this.#query, {
      tag,
      tick,
      stored: tick - age - this.#away,
      expires: tick + left - this.#away,
      hot: (bits & HOT) !== 0,
    });
  }

  /** An alias that leads to what another route or local data says now: only asking tells what that is. */
  #leadsElsewhere(message: Message, number: number): boolean {
    const isOwn = (name: Uint8Array): boolean => {
      adoptName(this.#target, name, TYPE.A, CLASS.IN);
      return this.#options.routeOf(this.#target) === number;
    };
    return relevantAnswers(message, isOwn).leadsTo !== undefined;
  }

  /** What an image may be made of; the query is then the question of it. */
  #partsOf(message: Message): ImageParts | undefined {
    const { bytes, records, questionEnd, flags, lowFlags, rcode } = message;
    const name = bytes.subarray(HEADER_BYTES, questionEnd - 4);
    const type = u16(bytes, questionEnd - 4);
    const ours = flags === QR && lowFlags === (RA | rcode) && (rcode === RCODE.NOERROR || rcode === RCODE.NXDOMAIN);
    const plain = u16(bytes, AT.additionals) === 0 && u16(bytes, questionEnd - 2) === CLASS.IN;
    if (!ours || !plain || name.at(-1) !== 0 || !sameBytes(lowerName(name), 0, name, 0, name.length)) return undefined;
    adoptName(this.#query, name, type, CLASS.IN);
    const negative = rcode !== RCODE.NOERROR || !records.some((record) => record.section === 0 && record.type === type);
    const aliased = records.some((record) => record.section === 0 && record.type === TYPE.CNAME);
    return { message: bytes, nameLength: name.length, ttlsAt: records.map(({ ttlAt }) => ttlAt), negative, aliased };
  }
}

function keyOf(fingerprint: Uint8Array): string {
  return Buffer.from(fingerprint).toString("latin1");
}
