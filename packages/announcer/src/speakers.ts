import type { Advertisement, Prefix, ReceivedPath, SessionEvent, SessionStatus } from "@stitch/bgp-speaker";
import type { PeerConfig } from "./config.ts";
import type { Journal } from "./journal.ts";
import { Peer, type RouteSession } from "./peer.ts";
import { peerName } from "./reload/changes.ts";
import type { Origin } from "./route/advertisement.ts";
import type { KernelSpeaker } from "./speaker/kernel.ts";
import type { Speaker } from "./speaker/speaker.ts";

export type OpenSession = (
  peer: PeerConfig,
  watch: readonly Prefix[],
  onEvent: (event: SessionEvent) => void,
) => RouteSession;

/** A router as status shows it. */
export interface PeerView {
  readonly config: PeerConfig;
  readonly status: SessionStatus;
  readonly advice: string;
}

export interface SpeakersOptions {
  readonly origin: Origin;
  readonly journal: Journal;
  readonly openSession: OpenSession;
  readonly kernel: KernelSpeaker | undefined;
  /** What a peer knows of other origins has changed. */
  readonly onPaths: () => void;
}

/** A peer after a reload: the old one itself where it lives on. */
interface Successor {
  readonly config: PeerConfig;
  readonly old: Peer | undefined;
  readonly peer: Peer;
}

/** Everything that carries the wish to routers: one session for each peer, and the kernel where it is asked for. */
export class Speakers {
  readonly kernel: KernelSpeaker | undefined;
  readonly #options: SpeakersOptions;
  #peers: Peer[];
  #wish: readonly Advertisement[] = [];
  #started = false;

  constructor(options: SpeakersOptions, peers: readonly PeerConfig[], watch: readonly Prefix[]) {
    this.#options = options;
    this.kernel = options.kernel;
    this.#peers = peers.map((peer) => this.#open(peer, watch));
  }

  get peers(): readonly PeerView[] {
    return this.#peers.map(({ config, status, advice }) => ({ config, status, advice }));
  }

  /** Who hears what is set. */
  get listeners(): number {
    return this.#all.filter(({ established }) => established).length;
  }

  /** Peers that have sent a path for the VIP which is not ours. */
  otherOrigins(vip: string): readonly { readonly peer: string; readonly path: ReceivedPath }[] {
    return this.#peers.flatMap(({ config, others }) => {
      const path = others.get(vip);
      return path === undefined ? [] : [{ peer: config.address, path }];
    });
  }

  start(): void {
    this.#started = true;
    for (const speaker of this.#all) speaker.start();
  }

  /** The whole wish, and the journal entry behind it where there is a new one. */
  set(advertisements: readonly Advertisement[], cause: number | undefined): void {
    this.#wish = advertisements;
    for (const speaker of this.#all) {
      speaker.cause = cause ?? speaker.cause;
      if (this.#started) speaker.set(advertisements);
    }
  }

  async stop(text: string): Promise<void> {
    this.#started = false;
    await Promise.all(this.#all.map((speaker) => speaker.stop(text)));
  }

  /** BFD has lost the path to a router. */
  bfdDown(address: string): void {
    for (const peer of this.#peers) if (peer.config.address === address) peer.bfdDown();
  }

  /**
   * Other peers than before. Throws, and has changed nothing, where a new one cannot have the session that it asks for;
   * nothing starts or ends before the answer is called. Sessions whose settings are the same know nothing of it, but for
   * what they watch.
   */
  prepare(peers: readonly PeerConfig[], watch: readonly Prefix[]): (text: string) => void {
    const before = new Map(this.#peers.map((peer) => [peerName(peer.config), peer]));
    const next = peers.map((config) => {
      const old = before.get(peerName(config));
      const stays = old?.mayBecome(config) === true;
      return { config, old, peer: stays ? old : this.#open(config, watch) };
    });
    return (text) => this.#replace(next, watch, text);
  }

  #replace(next: readonly Successor[], watch: readonly Prefix[], text: string): void {
    const gone = new Set(this.#peers);
    this.#peers = next.map(({ peer }) => peer);
    for (const { config, old, peer } of next) {
      if (old !== undefined) gone.delete(old);
      if (peer !== old) {
        void this.#startAfter(peer, old?.stop(text) ?? Promise.resolve());
        continue;
      }
      peer.become(config);
      peer.watch(watch);
    }
    for (const peer of gone) void peer.stop(text);
    this.kernel?.watch(watch);
  }

  get #all(): readonly Speaker[] {
    return this.kernel === undefined ? this.#peers : [...this.#peers, this.kernel];
  }

  #open(config: PeerConfig, watch: readonly Prefix[]): Peer {
    const { journal, origin, onPaths, openSession } = this.#options;
    return new Peer({ config, journal, origin, onPaths }, (onEvent) => openSession(config, watch, onEvent));
  }

  /** A router takes the new session of a peer only when the old one has ended. */
  async #startAfter(peer: Peer, end: Promise<void>): Promise<void> {
    await end;
    if (!this.#started || !this.#peers.includes(peer)) return; // another reload, or a stop, was faster
    peer.set(this.#wish);
    peer.start();
  }
}
