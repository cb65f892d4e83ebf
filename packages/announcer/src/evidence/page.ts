import { seconds, type Clock, type Duration } from "@stitch/clock";
import { fetched } from "../check/http.ts";

const TIMEOUT: Duration = seconds(1);

/** Gets a page; undefined when there is none within a second. Never rejects. */
export type Page = (url: URL) => Promise<{ readonly status: number; readonly body: string } | undefined>;

/** Pages by HTTP, with nothing left open. */
export function pageOver(clock: Clock): Page {
  return async (url) => {
    const abort = new AbortController();
    const timer = clock.after("evidence-page", TIMEOUT, () => abort.abort());
    try {
      return await fetched(url, undefined, abort.signal);
    } catch {
      return undefined; // no evidence
    } finally {
      timer.cancel();
    }
  };
}
