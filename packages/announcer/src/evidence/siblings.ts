import { elapsed, milliseconds, seconds, type Clock, type Duration, type Instant } from "@stitch/clock";
import { valueAt } from "../check/json-pointer.ts";
import type { Page } from "./page.ts";

const ASK_EVERY: Duration = milliseconds(500);
/** An answer that is older than this is no evidence any more. */
const STALE_AFTER: Duration = seconds(3);

/**
 * The announcers of other sites, asked at their own addresses while a planned withdrawal waits for permission. Whoever is
 * asked only once its asker is on last resort itself cannot take the asker for its own proof: sites that drain at the same
 * time are no proof to each other, and never leave together.
 */
export class Siblings {
  readonly #prefix: string;
  readonly #urls: readonly URL[];
  readonly #clock: Clock;
  readonly #page: Page;
  readonly #passed = new Map<URL, Instant>();
  #asked: Instant | undefined;

  constructor(prefix: string, urls: readonly URL[], clock: Clock, page: Page) {
    this.#prefix = prefix;
    this.#urls = urls;
    this.#clock = clock;
    this.#page = page;
  }

  /** The first sibling known to announce the VIP; undefined when none is. Asking has them all asked, at most twice a second. */
  get announcing(): string | undefined {
    const now = this.#clock.now();
    if (this.#asked === undefined || elapsed(this.#asked, now) >= ASK_EVERY) {
      this.#asked = now;
      for (const url of this.#urls) void this.#ask(url);
    }
    return this.#urls.find((url) => {
      const at = this.#passed.get(url);
      return at !== undefined && elapsed(at, now) <= STALE_AFTER;
    })?.host;
  }

  async #ask(url: URL): Promise<void> {
    const answer = await this.#page(url);
    if (answer !== undefined && announces(answer.body, this.#prefix)) this.#passed.set(url, this.#clock.now());
    else this.#passed.delete(url);
  }
}

/** Announces this very prefix plainly. One on last resort is degraded or on its way out, and may be counting on us. */
function announces(body: string, prefix: string): boolean {
  try {
    const routes = valueAt(JSON.parse(body), ["routes"]);
    if (!Array.isArray(routes)) return false;
    const route: unknown = routes.find((each) => valueAt(each, ["prefix"]) === prefix);
    return valueAt(route, ["wish"]) === "normal" && valueAt(route, ["heard"]) === true;
  } catch {
    return false; // no evidence
  }
}
