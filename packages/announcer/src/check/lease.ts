import { request, type ClientRequest, type IncomingMessage } from "node:http";
import {
  elapsed,
  formatDuration,
  later,
  milliseconds,
  seconds,
  type Clock,
  type Duration,
  type Timer,
} from "@stitch/clock";
import type { HealthReport } from "@stitch/health";
import { EventStream, type StreamEvent } from "./event-stream.ts";

/** A service that is not there is asked again this soon: a restarted one must not wait for its route. */
const RETRY_MIN: Duration = milliseconds(100);
const RETRY_MAX: Duration = seconds(1);
/** After a planned release the service is on its way out; asking at once would only hold it up. */
const RETRY_AFTER_RELEASE: Duration = seconds(1);

/**
 * A deadline that comes this late was kept by a process that stood still itself: the machine was paused or starved, and
 * the service with it. What was silent then has not been listened to.
 */
const OWN_STALL: Duration = milliseconds(100);
/** So much a service that stood still with us needs to begin its next self-check and have it answered. */
const AFTER_STALL: Duration = milliseconds(150);

export type LeaseLoss = "lease-closed" | "lease-expired" | "lease-refused";

export interface LeaseObserver {
  report(report: HealthReport): void;
  renewed(load: number): void;
  lost(reason: LeaseLoss, detail: string): void;
}

export interface LeaseCheckOptions {
  readonly url: URL;
  /** Silence after which the lease is lost. */
  readonly timeout: Duration;
  readonly clock: Clock;
  readonly observer: LeaseObserver;
}

type Awaited = "no answer" | "no renewal";

/**
 * Holds the lease stream of one service open. The end of the stream is a dead process (milliseconds); silence for
 * `timeout` is a hung one. Either way the observer hears `lost` once, and the check goes on trying.
 *
 * Hard: the whole machine is paused for a second, as when it is moved, and goes on. The deadline is long past, and nothing has been
 * said, because nobody ran. That is forgiven, once for each wait: a service that does not renew within its next turn is lost.
 */
export class LeaseCheck {
  readonly #options: LeaseCheckOptions;
  #attempt: ClientRequest | undefined;
  #response: IncomingMessage | undefined;
  #deadline: Timer | undefined;
  /** What the deadline waits for. */
  #awaited: Awaited | undefined;
  #retry: Timer | undefined;
  #retryDelay: Duration = RETRY_MIN;
  #stopped = false;

  constructor(options: LeaseCheckOptions) {
    this.#options = options;
  }

  start(): void {
    this.#connect();
  }

  /** Lets go of the lease: the service takes it as "your withdrawal has been sent". */
  release(): void {
    if (this.#attempt !== undefined) this.#end(RETRY_AFTER_RELEASE);
  }

  stop(): void {
    this.#stopped = true;
    this.#end(RETRY_MIN);
  }

  #connect(): void {
    const { url } = this.#options;
    const attempt = request(url, { method: "GET", agent: false, headers: { accept: "text/event-stream" } });
    this.#attempt = attempt;
    attempt.setNoDelay(true);
    this.#expectBefore("no answer");
    attempt.on("response", (response) => this.#answered(attempt, response));
    attempt.on("error", (failure: NodeJS.ErrnoException) => {
      const reason = this.#response === undefined ? "lease-refused" : "lease-closed";
      this.#lost(attempt, reason, `${failure.code ?? failure.message} at ${url.host}`);
    });
    attempt.end();
  }

  #answered(attempt: ClientRequest, response: IncomingMessage): void {
    if (attempt !== this.#attempt) return void response.destroy();
    if (response.statusCode !== 200)
      return this.#lost(attempt, "lease-refused", `HTTP ${response.statusCode} at ${this.#options.url.href}`);
    this.#response = response;
    this.#retryDelay = RETRY_MIN;
    const events = new EventStream((event) => this.#event(attempt, event));
    response.setEncoding("utf8");
    response.on("data", (text: string) => {
      if (!events.push(text)) this.#lost(attempt, "lease-refused", "not a lease stream");
    });
    response.on("close", () => this.#lost(attempt, "lease-closed", "the service closed the stream"));
    response.on("error", () => this.#lost(attempt, "lease-closed", "the stream broke off: the process is gone"));
  }

  #event(attempt: ClientRequest, { type, data }: StreamEvent): void {
    if (attempt !== this.#attempt) return;
    const value = parseJson(data);
    if (type === "verdict" && isReport(value)) return this.#reported(value);
    if (type !== "renewal") return;
    if (this.#deadline !== undefined) this.#expectBefore("no renewal");
    this.#options.observer.renewed(loadOf(value));
  }

  /**
   * A service that still warms up does not check itself yet, and one that says it is dead proves nothing more: there is
   * nothing to expect of either. A verdict of any other begins the wait for renewals and never extends it, or a flapping
   * reason would keep the lease of a service whose self-check hangs.
   */
  #reported(report: HealthReport): void {
    if (report.phase === "starting" || report.verdict === "fail") this.#expectNothing();
    else if (this.#awaited !== "no renewal") this.#expectBefore("no renewal");
    this.#options.observer.report(report);
  }

  /** Re-arms the deadline. */
  #expectBefore(what: Awaited): void {
    this.#expectNothing();
    this.#awaited = what;
    this.#wait(what, this.#options.timeout, true);
  }

  /** A deadline that fires because *we* were stalled first reads what has been waiting, and gives the service its next turn. */
  #wait(what: Awaited, length: Duration, forgiving: boolean): void {
    const { clock, timeout } = this.#options;
    const attempt = this.#attempt;
    const due = later(clock.now(), length);
    const deadline = clock.after("lease-timeout", length, () => {
      const stalled = elapsed(due, clock.now()) > OWN_STALL;
      setImmediate(() => {
        if (attempt === undefined || this.#deadline !== deadline) return;
        if (stalled && forgiving) this.#wait(what, AFTER_STALL, false);
        else this.#lost(attempt, "lease-expired", `${what} for ${formatDuration(timeout)}`);
      });
    });
    this.#deadline = deadline;
  }

  #expectNothing(): void {
    this.#deadline?.cancel();
    this.#deadline = undefined;
    this.#awaited = undefined;
  }

  #lost(attempt: ClientRequest, reason: LeaseLoss, detail: string): void {
    if (attempt !== this.#attempt) return;
    const delay = this.#retryDelay;
    this.#retryDelay = Math.min(RETRY_MAX, this.#retryDelay * 2) as Duration;
    this.#end(delay);
    this.#options.observer.lost(reason, detail);
  }

  #end(retryAfter: Duration): void {
    this.#expectNothing();
    this.#retry?.cancel();
    const attempt = this.#attempt;
    this.#attempt = undefined;
    this.#response = undefined;
    attempt?.destroy();
    if (this.#stopped) return;
    this.#retry = this.#options.clock.after("lease-retry", retryAfter, () => this.#connect());
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not ours; the timeout will say so
  }
}

function isReport(value: unknown): value is HealthReport {
  if (value === null || typeof value !== "object") return false;
  const { phase, verdict, reasons } = value as Partial<Record<keyof HealthReport, unknown>>;
  return (
    (phase === "starting" || phase === "serving" || phase === "draining") &&
    (verdict === "pass" || verdict === "degraded" || verdict === "fail") &&
    Array.isArray(reasons)
  );
}

function loadOf(value: unknown): number {
  const load = value !== null && typeof value === "object" && "load" in value ? value.load : 0;
  return typeof load === "number" && load >= 0 && load <= 1 ? load : 0;
}
