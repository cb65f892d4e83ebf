import {
  formatPrefix,
  type Advertisement,
  type Prefix,
  type ReceivedPath,
  type SessionEvent,
  type SessionStatus,
} from "@stitch/bgp-speaker";
import { formatDuration, milliseconds } from "@stitch/clock";
import type { PeerConfig } from "./config.ts";
import type { Journal } from "./journal.ts";
import { sameSession } from "./reload/changes.ts";
import { isOurs, type Origin } from "./route/advertisement.ts";
import { isFailure, sessionAdvice, type SessionFailure } from "./session-advice.ts";
import type { Speaker } from "./speaker/speaker.ts";

/** What the announcer needs of a BGP session; bgp-speaker's BgpSession is one. */
export interface RouteSession {
  start(): void;
  set(advertisements: readonly Advertisement[]): void;
  /** Reports the peer's paths for these prefixes from now on. */
  watch(prefixes: readonly Prefix[]): void;
  stop(text?: string): Promise<void>;
  /** BFD says that the path is gone: Cease/10 at once. */
  bfdDown(): void;
  readonly status: SessionStatus;
}

export interface PeerOptions {
  readonly config: PeerConfig;
  readonly journal: Journal;
  readonly origin: Origin;
  /** What this peer knows of other origins has changed. */
  readonly onPaths: () => void;
}

/** One router: its session, what it has told of other origins, and the journal's record of both. */
export class Peer implements Speaker {
  #config: PeerConfig;
  readonly #options: PeerOptions;
  readonly #session: RouteSession;
  /** Paths for our VIPs that are not our own, by prefix text. */
  readonly #others = new Map<string, ReceivedPath>();
  #established = false;
  #failure: SessionFailure | undefined;
  /** Journal entry behind what the session sends next: a decision, or the session's own beginning. */
  cause: number | undefined;

  constructor(options: PeerOptions, open: (onEvent: (event: SessionEvent) => void) => RouteSession) {
    this.#options = options;
    this.#config = options.config;
    this.#session = open((event) => this.#heard(event));
  }

  get config(): PeerConfig {
    return this.#config;
  }

  get status(): SessionStatus {
    return this.#session.status;
  }

  /** What to look at where the session is not as it should be; empty otherwise. */
  get advice(): string {
    return sessionAdvice(this.#config, this.status, this.#failure);
  }

  get established(): boolean {
    return this.#established;
  }

  get others(): ReadonlyMap<string, ReceivedPath> {
    return this.#others;
  }

  start(): void {
    this.#session.start();
  }

  /** True where the session can live on with `config`. */
  mayBecome(config: PeerConfig): boolean {
    return sameSession(this.#config, config);
  }

  /** Takes effect with the next wish. */
  become(config: PeerConfig): void {
    this.#config = config;
  }

  /** Paths of prefixes that are not watched any more are forgotten. */
  watch(prefixes: readonly Prefix[]): void {
    const watched = new Set(prefixes.map(formatPrefix));
    for (const prefix of this.#others.keys()) if (!watched.has(prefix)) this.#others.delete(prefix);
    this.#session.watch(prefixes);
  }

  stop(text: string): Promise<void> {
    return this.#session.stop(text);
  }

  bfdDown(): void {
    this.#session.bfdDown();
  }

  /** The whole wish. A configured next hop is one for its own family; the other keeps the session's address. */
  set(advertisements: readonly Advertisement[]): void {
    const { nextHop } = this.config;
    const family = nextHop?.includes(":") === true ? "ipv6" : "ipv4";
    this.#session.set(
      nextHop === undefined
        ? advertisements
        : advertisements.map((each) => (each.prefix.family === family ? { ...each, nextHop } : each)),
    );
  }

  #heard(event: SessionEvent): void {
    const { journal } = this.#options;
    const peer = this.config.address;
    switch (event.kind) {
      case "state":
        return this.#moved(event);
      case "update-sent": {
        const announced = event.announced.map(formatPrefix);
        const withdrawn = event.withdrawn.map(formatPrefix);
        return void journal.append({ kind: "update", peer, announced, withdrawn, cause: this.cause });
      }
      case "late": {
        const [lag, hold] = [formatDuration(milliseconds(Math.round(event.lag))), formatDuration(event.holdTime)];
        const detail = `this process was ${lag} late; at a hold time of ${hold} the router may give the session up`;
        return void journal.append({ kind: "session", peer, from: "process", to: "late", reason: "late", detail });
      }
      case "path":
        return this.#pathChanged(formatPrefix(event.prefix), event.path);
      case "notification": {
        const { direction: from, name, text } = event;
        const detail = text === "" ? name : `${name}: "${text}"`;
        return void journal.append({ kind: "session", peer, from, to: "notification", reason: "notification", detail });
      }
    }
  }

  #moved({ from, to, reason, detail }: SessionEvent & { readonly kind: "state" }): void {
    this.#established = to === "Established";
    if (this.#established) this.#failure = undefined;
    else if (isFailure(reason)) this.#failure = { reason, detail };
    if (!this.#established) this.#others.clear();
    if (to !== "Established" && from !== "Established") return;
    const { journal } = this.#options;
    this.cause = journal.append({ kind: "session", peer: this.config.address, from, to, reason, detail }).id;
  }

  #pathChanged(prefix: string, path: ReceivedPath | undefined): void {
    if (path === undefined || isOurs(path, this.#options.origin)) this.#others.delete(prefix);
    else this.#others.set(prefix, path);
    this.#options.onPaths();
  }
}
