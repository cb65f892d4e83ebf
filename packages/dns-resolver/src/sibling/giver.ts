import { elapsed, seconds, type Clock, type Duration, type Instant } from "@stitch/clock";
import type { HttpReply, HttpServer } from "@stitch/health";
import { joined } from "./parts.ts";
import { isProof, PROOF_HEADER, sealed } from "./proof.ts";

/** From one answer to the next, whoever asks: making one takes the workers' time. */
export const GIVE_INTERVAL: Duration = seconds(5);
/** A sibling that reads slowly, or not at all, is cut off: its answer is kept for it, and no other one is made. */
export const GIVE_LIMIT: Duration = seconds(10);

/** What may come of a sibling's question; the labels of its metric. */
export const GIVEN = ["served", "forbidden", "busy", "unready", "unfinished"] as const;
export type Given = (typeof GIVEN)[number];
const REFUSALS = { forbidden: 403, busy: 429, unready: 503 } as const;

/** Resolves with the workers' parts. */
export type Gather = () => Promise<readonly Uint8Array[]>;

/**
 * `GET /cache?nonce=...` for siblings. Normal: the proof is right, every worker writes what its clients come back for, and
 * the parts go out as one, sealed. Hard: a hundred sites start at once, or somebody repeats what he has recorded. One answer
 * is made at a time and one in five seconds; the others are told so, and have more siblings to ask.
 */
export class Giver {
  readonly counts: Record<Given, number> = { served: 0, forbidden: 0, busy: 0, unready: 0, unfinished: 0 };
  /** A reload may bring another. */
  secret: Uint8Array;
  readonly #clock: Clock;
  #gather: Gather | undefined;
  #giving = false;
  #gaveAt: Instant | undefined;

  constructor(secret: Uint8Array, clock: Clock) {
    this.secret = secret;
    this.#clock = clock;
  }

  /** From now on there is something to give. */
  open(gather: Gather): void {
    this.#gather = gather;
  }

  /** Adds the path to the health endpoint. */
  readonly paths = (app: HttpServer): void => {
    // A HEAD would have an answer made that nobody gets.
    const options = { exposeHeadRoute: false };
    app.get<{ Querystring: { readonly nonce?: unknown } }>("/cache", options, ({ query, headers }, reply) => {
      const { nonce } = query;
      if (!isProof(this.secret, nonce, headers[PROOF_HEADER])) return this.#refuse("forbidden", reply);
      if (this.#gather === undefined) return this.#refuse("unready", reply);
      if (!this.#mayGive()) return this.#refuse("busy", reply);
      void this.#give(this.#gather, nonce, reply);
    });
  };

  #mayGive(): boolean {
    if (this.#giving) return false;
    return this.#gaveAt === undefined || elapsed(this.#gaveAt, this.#clock.now()) >= GIVE_INTERVAL;
  }

  #refuse(given: keyof typeof REFUSALS, reply: HttpReply): void {
    this.counts[given] += 1;
    void reply.code(REFUSALS[given]).send({ error: given });
  }

  async #give(gather: Gather, nonce: string, reply: HttpReply): Promise<void> {
    const { secret } = this;
    this.#giving = true;
    this.#gaveAt = this.#clock.now();
    const gone = new Promise<undefined>((resolve) => void reply.raw.once("close", () => resolve(undefined)));
    const limit = this.#clock.after("give-limit", GIVE_LIMIT, () => reply.raw.destroy());
    const parts = await Promise.race([gather(), gone]);
    if (parts !== undefined) void reply.type("application/octet-stream").send(sealed(secret, nonce, joined(parts)));
    await gone;
    limit.cancel();
    this.#giving = false;
    this.counts[reply.raw.writableFinished ? "served" : "unfinished"] += 1;
  }
}
