import type { ServerResponse } from "node:http";
import type { Clock, Duration, Timer } from "@stitch/clock";
import { substance, type Health, type HealthReport } from "./health.ts";

/** Holders of one lease: an announcer, its successor during an upgrade, a curious person. More is a leak or an attack. */
const MOST_HOLDERS = 16;
/** A holder that stops reading is cut off before it costs more than this, in bytes; a burst of changes must fit. */
const MOST_UNREAD = 256 * 1_024;

/**
 * The lease stream of one service: server-sent events, `verdict` whenever the report changes and once at the start,
 * `renewal` whenever a self-check has completed. No timer writes here: silence is meant to be noticed. A change of
 * nothing but a reason's wording waits for the next renewal: the wording may change with every datagram.
 */
export class LeaseStream {
  readonly #health: Health;
  readonly #clock: Clock;
  readonly #holders = new Set<ServerResponse>();
  readonly #emptied = new Set<() => void>();
  #renewals = 0;
  #told = "";
  #rewordedSince = false;

  constructor(health: Health, clock: Clock) {
    this.#health = health;
    this.#clock = clock;
    health.onChange((report) => this.#changed(report));
  }

  get holders(): number {
    return this.#holders.size;
  }

  /** Takes over the response of GET /health/lease. Returns false when there is no place for another holder. */
  hold(response: ServerResponse): boolean {
    if (this.#holders.size >= MOST_HOLDERS) return false;
    if (response.destroyed) return true; // left before it was served: its "close" has been, and would free no place
    if (response.socket === null) return false; // pipelined behind another response: its end would never be seen
    response.socket?.setNoDelay(true);
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    response.write(verdictEvent(this.#health.report));
    this.#holders.add(response);
    response.on("close", () => this.#release(response));
    response.on("error", () => this.#release(response));
    return true;
  }

  renew(): void {
    this.#renewals += 1;
    if (this.#rewordedSince) this.#tell(this.#health.report);
    const { load } = this.#health;
    this.#broadcast(`event: renewal\ndata: {"sequence":${this.#renewals},"load":${load.toFixed(3)}}\n\n`);
  }

  /** Resolves when no holder is left, at the latest after `limit`. */
  released(limit: Duration): Promise<void> {
    return new Promise<void>((resolve) => {
      let timer: Timer | undefined;
      const done = (): void => {
        timer?.cancel();
        this.#emptied.delete(done);
        resolve();
      };
      timer = this.#clock.after("lease-release-limit", limit, done);
      this.#emptied.add(done);
      if (this.#holders.size === 0) done();
    });
  }

  close(): void {
    for (const holder of this.#holders) this.#cutOff(holder);
  }

  #changed(report: HealthReport): void {
    if (substance(report) === this.#told) this.#rewordedSince = true;
    else this.#tell(report);
  }

  #tell(report: HealthReport): void {
    this.#told = substance(report);
    this.#rewordedSince = false;
    this.#broadcast(verdictEvent(report));
  }

  #broadcast(event: string): void {
    for (const holder of this.#holders) {
      if (holder.writableLength > MOST_UNREAD) this.#cutOff(holder);
      else holder.write(event);
    }
  }

  #cutOff(holder: ServerResponse): void {
    holder.destroy();
    this.#release(holder);
  }

  #release(holder: ServerResponse): void {
    if (!this.#holders.delete(holder) || this.#holders.size > 0) return;
    for (const done of this.#emptied) done();
  }
}

function verdictEvent(report: HealthReport): string {
  return `event: verdict\ndata: ${JSON.stringify(report)}\n\n`;
}
