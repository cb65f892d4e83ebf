import { seconds, type Clock, type Duration, type Timer } from "@stitch/clock";
import { readEndpoint } from "@stitch/linux-io";
import type { DnsSettings } from "./config.ts";
import { REASON, REASONS, type ReasonCode } from "./reasons.ts";
import { formatName } from "./wire/name.ts";
import type { Query } from "./wire/query.ts";
import { typeName } from "./wire/registry.ts";

export type QueryLogSettings = NonNullable<DnsSettings["queryLog"]>;

/** Lines are written together so often, away from the batch that they come from. */
const FLUSH: Duration = seconds(1);
/** What clients got SERVFAIL for: worth a line, whatever the sample. */
const ERRORS: ReadonlySet<ReasonCode> = new Set([
  REASON.upstreamFailed,
  REASON.upstreamBusy,
  REASON.failedBefore,
  REASON.looped,
]);

/** One query as it is logged; the name is escaped, so that no name can write a line of its own. */
export interface LoggedQuery {
  readonly client: string;
  readonly name: string;
  readonly type: string;
  readonly reason: string;
}

/**
 * One query in so many, and the failed ones, for people. What is not logged costs a decrement and a look into a table; what is
 * costs some microseconds, and that no more often than so many times a second, however many queries or failures there
 * are: a flood must not become a flood of lines.
 */
export class QueryLog {
  /** Lines that were not written because the second was full. */
  missed = 0;
  readonly #every: number;
  readonly #most: number;
  /** By reason: 1 for those that are logged always. */
  readonly #always = new Uint8Array(REASONS.length);
  readonly #write: (lines: readonly LoggedQuery[]) => void;
  readonly #flush: Timer;
  #left: number;
  #lines: LoggedQuery[] = [];

  /** `workers`: among so many the lines of a second are shared out. */
  constructor(
    { every, errors, perSecond }: QueryLogSettings,
    workers: number,
    clock: Clock,
    write: (lines: readonly LoggedQuery[]) => void,
  ) {
    this.#every = every === 0 ? Infinity : every;
    this.#left = this.#every;
    this.#most = Math.max(1, Math.floor(perSecond / workers));
    this.#write = write;
    if (errors) for (const reason of ERRORS) this.#always[reason] = 1;
    this.#flush = clock.every("query-log", FLUSH, () => this.#flushed());
  }

  /** Whether the query that is about to leave is to be noted. Allocates nothing. */
  wants(reason: ReasonCode): boolean {
    this.#left -= 1;
    if (this.#left > 0) return this.#always[reason] === 1;
    this.#left = this.#every;
    return true;
  }

  note(query: Query, peers: Uint8Array, peerAt: number, reason: ReasonCode): void {
    if (this.#lines.length >= this.#most) {
      this.missed += 1;
      return;
    }
    const { key, nameLength, type } = query;
    this.#lines.push({
      client: readEndpoint(peers, peerAt)?.address ?? "",
      name: nameLength === 0 ? "" : formatName(key.subarray(0, nameLength)),
      type: nameLength === 0 ? "" : typeName(type),
      reason: REASONS[reason] ?? "",
    });
  }

  close(): void {
    this.#flush.cancel();
    this.#flushed();
  }

  #flushed(): void {
    if (this.#lines.length === 0) return;
    const lines = this.#lines;
    this.#lines = [];
    this.#write(lines);
  }
}
