import { elapsed, milliseconds, seconds, type Clock, type Duration, type Instant } from "@stitch/clock";
import { valueAt } from "../check/json-pointer.ts";
import type { Page } from "./page.ts";

const ASK_EVERY: Duration = milliseconds(500);
/** A health that was good longer ago than this is no evidence any more. */
const STALE_AFTER: Duration = seconds(3);

/** The same service at other sites, asked at their own addresses while a planned withdrawal waits for permission. */
export class Siblings {
  readonly #urls: readonly URL[];
  readonly #clock: Clock;
  readonly #page: Page;
  readonly #passed = new Map<URL, Instant>();
  #asked: Instant | undefined;

  constructor(urls: readonly URL[], clock: Clock, page: Page) {
    this.#urls = urls;
    this.#clock = clock;
    this.#page = page;
  }

  /** The first sibling known to be well; undefined when none is. Asking has them all asked, at most twice a second. */
  get healthy(): string | undefined {
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
    if (answer !== undefined && isWell(answer)) this.#passed.set(url, this.#clock.now());
    else this.#passed.delete(url);
  }
}

/** Passes and serves. A degraded sibling is on last resort itself, a draining one on its way out. */
function isWell({ status, body }: { readonly status: number; readonly body: string }): boolean {
  if (status !== 200) return false;
  try {
    const report: unknown = JSON.parse(body);
    return valueAt(report, ["verdict"]) === "pass" && valueAt(report, ["phase"]) === "serving";
  } catch {
    return false; // no evidence
  }
}
