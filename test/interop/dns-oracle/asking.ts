import { ask } from "./client.ts";
import { explain } from "./classes.ts";
import { differences, type Compared } from "./compare.ts";
import type { Places, Seeded } from "./names.ts";
import type { Put } from "./questions.ts";
import { readReply, type Reply } from "./wire.ts";

/** Pairs of questions under way at once. */
const AT_ONCE = 48;
/** Whole seconds are shown, and the two may round another way. */
const ROUNDING = 2;
const SERVFAIL = 2;
/** For so long what failed is asked again: longer than either remembers a failure. */
const AGAIN_MS = 45_000;
const PAUSE_MS = 1_000;

/** Puts questions to both resolvers, each to both at the same time. */
export class Asking {
  readonly #places: Places;
  readonly #random: Seeded;
  readonly #patienceMs: number;
  readonly #began = performance.now();

  /** To be made before any of the two has anything in its cache. */
  constructor(places: Places, random: Seeded, patienceMs: number) {
    this.#places = places;
    this.#random = random;
    this.#patienceMs = patienceMs;
  }

  get seconds(): number {
    return (performance.now() - this.#began) / 1_000;
  }

  async all(puts: readonly Put[]): Promise<Compared[]> {
    const compared: Compared[] = [];
    const queue = puts.values();
    const one = async (): Promise<void> => {
      for (const put of queue) {
        const first = await this.#both(put);
        compared.push(first);
        // As a client does: what is cut is asked for again over TCP.
        if (first.ours?.tc === true && !put.tcp) compared.push(await this.#both({ ...put, tcp: true }));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
    return compared;
  }

  /**
   * A machine that stands still for a second makes good servers look dead, to one of the two and not to the other. What failed
   * without an explanation is asked again until it is the same or explained; wrong data never is.
   */
  async again(compared: readonly Compared[]): Promise<{ readonly compared: Compared[]; readonly settled: number }> {
    const doubtful = new Set(compared.filter(isDoubtful));
    const rest = compared.filter((each) => !doubtful.has(each));
    let open = [...doubtful];
    for (const deadline = performance.now() + AGAIN_MS; open.length > 0 && performance.now() < deadline;) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      const asked = await this.all(open.map(({ put }) => put));
      rest.push(...asked.filter((each) => !isDoubtful(each)));
      open = asked.filter(isDoubtful);
    }
    return { compared: [...rest, ...open], settled: doubtful.size - open.length };
  }

  async #both(put: Put): Promise<Compared> {
    const { us, unbound } = this.#places;
    const id = this.#random.below(65_536);
    const [ours, theirs] = await Promise.all([us, unbound].map((address) => this.#read(address, put, id)));
    const seconds = this.seconds + ROUNDING;
    return { put, ours, theirs, differences: differences(put, ours, theirs, seconds), seconds };
  }

  async #read(address: string, put: Put, id: number): Promise<Reply | undefined> {
    const bytes = await ask(address, put, { id, ...put }, put.tcp, this.#patienceMs);
    return bytes === undefined ? undefined : readReply(bytes);
  }
}

/** One of the two failed, and nothing explains it. */
export function isDoubtful(each: Compared): boolean {
  const failed = [each.ours, each.theirs].some((reply) => reply === undefined || reply.rcode === SERVFAIL);
  return failed && each.differences.length > 0 && explain(each) === undefined;
}
