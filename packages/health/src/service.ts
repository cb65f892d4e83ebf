import { milliseconds, seconds, type Clock, type Duration } from "@stitch/clock";
import type { HostPort } from "@stitch/config";
import type { Registry } from "prom-client";
import type { HttpServer } from "./bounded-server.ts";
import { HealthEndpoint } from "./endpoint.ts";
import { Health, substance, type HealthIdentity } from "./health.ts";
import { LeaseStream } from "./lease.ts";
import type { Logger } from "./log.ts";
import { createRegistry, registerHealthMetrics } from "./metrics.ts";
import { SelfCheck, type Probe, type Progress } from "./self-check.ts";

/** What is left for datagrams already on their way when the last announcer has let go. */
export const LINGER: Duration = seconds(1);
/** A holder that never lets go of the lease does not keep a service from stopping for longer than this. */
export const DRAIN_LIMIT: Duration = seconds(65);

/** How long the sockets and stores of a service may take to close; what has not closed by then ends with the process. */
const CLOSE_LIMIT: Duration = seconds(4);
/** Between attempts to warm up: the store's disk may be full, an address may not be there yet. */
const WARM_UP_RETRY: Duration = seconds(1);

/** What a service gets to work with. */
export interface ServiceContext {
  readonly identity: HealthIdentity;
  readonly clock: Clock;
  readonly log: Logger;
  readonly health: Health;
  readonly registry: Registry;
  /** To be called when a part is gone without which the process is no service: it ends with code 1, to be started again. */
  readonly fail: (failure: Error) => void;
}

/** What a service gives back once its sockets are open. */
export interface ServingParts {
  readonly probe: Probe;
  /** Datagrams served plus kernel drops so far: shows life when a probe goes unanswered. One number per worker. */
  readonly progress: Progress;
  /**
   * Drives the hot paths until they are fast; the phase is `starting` until it has resolved. When it rejects, the reason
   * `warm-up-failed` is raised and it is called again.
   */
  readonly warm: () => Promise<void>;
  readonly close: () => Promise<void>;
}

export interface ServiceOptions {
  readonly identity: HealthIdentity;
  readonly clock: Clock;
  readonly log: Logger;
  readonly listenHealth: HostPort;
  readonly start: (context: ServiceContext) => Promise<ServingParts>;
  /** Adds paths of the role's own to the health endpoint; called before `start`. */
  readonly paths?: ((app: HttpServer) => void) | undefined;
}

/**
 * One running service: health endpoint first, then sockets, then warm-up, then a first answered self-check, then
 * `serving`. Stopping goes the other way: `draining`, wait until the announcers have let go, linger, close.
 */
export class Service {
  readonly health: Health;
  readonly healthPort: number;
  /** Resolves when a part has failed for good; `abandon` is all that is left to do then. */
  readonly failed: Promise<Error>;
  readonly #options: ServiceOptions;
  readonly #lease: LeaseStream;
  readonly #endpoint: HealthEndpoint;
  readonly #parts: ServingParts;
  readonly #check: SelfCheck;
  #stopping: Promise<void> | undefined;

  /** Rejects when a socket cannot be opened; nothing is left open then. */
  static async start(options: ServiceOptions): Promise<Service> {
    const { identity, clock, log, listenHealth: listen, paths } = options;
    const health = new Health(identity, clock);
    const registry = createRegistry(identity);
    const lease = new LeaseStream(health, clock);
    const failed = Promise.withResolvers<Error>();
    let service: Service | undefined;
    registerHealthMetrics(registry, health, {
      holders: () => lease.holders,
      checks: () => service?.selfChecks ?? 0,
    });
    logChanges(health, log);
    const endpoint = await HealthEndpoint.open({ health, lease, registry, listen, paths });
    try {
      const parts = await options.start({ identity, clock, log, health, registry, fail: failed.resolve });
      service = new Service(options, { health, lease, endpoint, parts, failed: failed.promise });
      return service;
    } catch (failure) {
      await endpoint.close();
      throw failure;
    }
  }

  private constructor(
    options: ServiceOptions,
    built: {
      health: Health;
      lease: LeaseStream;
      endpoint: HealthEndpoint;
      parts: ServingParts;
      failed: Promise<Error>;
    },
  ) {
    this.#options = options;
    this.health = built.health;
    this.#lease = built.lease;
    this.#endpoint = built.endpoint;
    this.#parts = built.parts;
    this.healthPort = built.endpoint.port;
    this.failed = built.failed;
    this.#check = new SelfCheck({
      health: built.health,
      clock: options.clock,
      probe: built.parts.probe,
      progress: built.parts.progress,
      onRenewal: () => this.#renew(),
    });
    void this.#warmUp();
  }

  /** Self-checks completed so far. */
  get selfChecks(): number {
    return this.#check.completed;
  }

  /** Drains and closes; the same promise however often it is called. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Ends without draining: the leases first, which withdraws the route, then whatever still serves. */
  async abandon(): Promise<void> {
    this.#check.stop();
    await this.#endpoint.close();
    await this.#closeParts();
  }

  async #warmUp(): Promise<void> {
    while (this.#stopping === undefined && !(await this.#warm())) await this.#wait("warm-up-retry", WARM_UP_RETRY);
    if (this.#stopping === undefined) this.#check.start();
  }

  async #warm(): Promise<boolean> {
    try {
      await this.#parts.warm();
      this.health.clear("warm-up-failed");
      return true;
    } catch (failure) {
      this.health.raise("warm-up-failed", "dead", textOf(failure));
      return false;
    }
  }

  /** The first answered check after warm-up opens the door; later ones renew the lease. */
  #renew(): void {
    const { health } = this;
    if (health.phase === "starting" && health.verdict !== "fail" && this.#check.answered > 0) health.enter("serving");
    this.#lease.renew();
  }

  async #stop(): Promise<void> {
    const { log } = this.#options;
    this.health.enter("draining");
    log.info({ holders: this.#lease.holders }, "draining: serving until the announcers have withdrawn");
    await this.#lease.released(DRAIN_LIMIT);
    await this.#wait("linger", LINGER);
    this.#check.stop();
    await this.#closeParts();
    await this.#endpoint.close();
    log.info("stopped");
  }

  /** Never rejects and never hangs: the endpoint must close and the process end in any case. */
  async #closeParts(): Promise<void> {
    const { log, clock } = this.#options;
    const closing = (async () => this.#parts.close())().catch((failure: unknown) => {
      log.error({ err: failure }, "could not close in order");
    });
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = clock.after("close-limit", CLOSE_LIMIT, () => {
      log.error("could not close in time");
      resolve();
    });
    await Promise.race([closing, late]);
    timer.cancel();
  }

  #wait(name: string, delay: Duration): Promise<void> {
    return new Promise<void>((resolve) => void this.#options.clock.after(name, delay, resolve));
  }
}

/** One line per change of phase, verdict or set of reasons; the wording of a detail may change with every datagram. */
function logChanges(health: Health, log: Logger): void {
  let logged = substance(health.report);
  health.onChange((report) => {
    const now = substance(report);
    if (now === logged) return;
    logged = now;
    const { phase, verdict, reasons } = report;
    log.info({ phase, verdict, reasons }, "health");
  });
}

function textOf(failure: unknown): string {
  return failure instanceof Error ? failure.message : String(failure);
}

/** How long a service may take from SIGTERM to exit, at most. */
export const STOP_LIMIT: Duration = milliseconds(DRAIN_LIMIT + LINGER + 5_000);
