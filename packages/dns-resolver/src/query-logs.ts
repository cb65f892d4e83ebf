import type { Clock } from "@stitch/clock";
import type { Logger } from "@stitch/health";
import { QueryLog, type LoggedQuery, type QueryLogSettings } from "./query-log.ts";

/** Who notes queries: the server, at its exit. */
interface Noting {
  queryLog: QueryLog | undefined;
}

/** The query log of one worker, whatever the reloads make of it. */
export class QueryLogs {
  readonly #server: Noting;
  readonly #workers: number;
  readonly #clock: Clock;
  readonly #write: (lines: readonly LoggedQuery[]) => void;
  #settings = "";
  #missed = 0;

  constructor(server: Noting, workers: number, clock: Clock, log: Logger) {
    this.#server = server;
    this.#workers = workers;
    this.#clock = clock;
    this.#write = (lines) => lines.forEach((query) => log.info({ query }, "query"));
  }

  /** Lines that were not written, of all logs so far. */
  get missed(): number {
    return this.#missed + (this.#server.queryLog?.missed ?? 0);
  }

  adopt(settings: QueryLogSettings | undefined): void {
    const text = JSON.stringify(settings) ?? "";
    if (text === this.#settings) return;
    this.#settings = text;
    this.close();
    if (settings !== undefined) this.#server.queryLog = new QueryLog(settings, this.#workers, this.#clock, this.#write);
  }

  /** Writes what is left. */
  close(): void {
    this.#missed = this.missed;
    this.#server.queryLog?.close();
    this.#server.queryLog = undefined;
  }
}
