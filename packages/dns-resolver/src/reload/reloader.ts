import type { Clock } from "@stitch/clock";
import { ConfigError, SiteDocument } from "@stitch/config";
import type { Logger } from "@stitch/health";
import { readServed, tellUnread, type Served } from "../served.ts";
import { sliced } from "../sliced.ts";
import { changeTo, type Change } from "./changes.ts";

/** What may come of it; the labels of its metric. */
export const RELOADS = ["accepted", "refused"] as const;

type Read =
  | { readonly ok: true; readonly served: Served }
  | { readonly ok: false; readonly problems: readonly string[] };

export interface ReloaderOptions {
  /** Of the site that runs: its file is read again, and must be the same site's. */
  readonly document: Pick<SiteDocument, "file" | "site" | "instance">;
  readonly running: Served;
  /** Random per process. */
  readonly seed: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Puts it in place everywhere; resolves when every worker answers by it. */
  readonly adopt: (next: Served) => Promise<void>;
}

/**
 * Reads the site's file again, on SIGHUP or by command. Normal: it and all that it names are read and checked in slices,
 * then every worker builds from the same texts beside what it serves, and changes over between two batches. Hard: one
 * zone file has a slip in line 7. Nothing is changed anywhere, and the log says so with the line.
 */
export class Reloader {
  readonly counts = { accepted: 0, refused: 0 };
  readonly #options: ReloaderOptions;
  #running: Served;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#running = options.running;
  }

  get running(): Served {
    return this.#running;
  }

  /** One after the other: whoever asks while one is under way may have written the file after it was read. */
  reload(): Promise<Change> {
    const reloading = this.#last.then(() => this.#reload());
    this.#last = reloading.catch(() => {}); // a defect of one must not end the next
    return reloading;
  }

  async #reload(): Promise<Change> {
    const { log, adopt } = this.#options;
    const read = await this.#read();
    const change: Change = read.ok
      ? changeTo(this.#running, read.served)
      : { kind: "refused", problems: read.problems };
    if (change.kind === "refused") {
      this.counts.refused += 1;
      log.error({ problems: change.problems }, "reload refused: nothing has been changed");
    } else if (read.ok) {
      tellUnread(read.served, log);
      await adopt(read.served);
      this.#running = read.served;
      this.counts.accepted += 1;
      log.info({ changes: change.changes }, "reload done");
    }
    return change;
  }

  /** What the file says now, or what is wrong with it. */
  async #read(): Promise<Read> {
    const { clock, document, seed } = this.#options;
    const { file, site, instance } = document;
    try {
      const read = SiteDocument.load(file);
      if (read.site !== site || read.instance !== instance) {
        const problem = `${file} is now of ${read.site}/${read.instance}, and ${site}/${instance} runs; restart the resolver`;
        return { ok: false, problems: [problem] };
      }
      return { ok: true, served: await sliced(readServed(read, seed), clock) };
    } catch (failure) {
      if (failure instanceof ConfigError) return { ok: false, problems: failure.message.split("\n") };
      return { ok: false, problems: [failure instanceof Error ? failure.message : String(failure)] };
    }
  }
}
