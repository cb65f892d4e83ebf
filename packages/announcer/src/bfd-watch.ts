import { DEFAULT_INTERVAL, type BfdChange, type BfdPeer, type BfdReport, type BfdStatus } from "@stitch/bfd";
import { milliseconds, type Duration } from "@stitch/clock";
import type { PeerConfig } from "./config.ts";
import type { Journal } from "./journal.ts";

/** What the announcer needs of BFD; bfd's BfdMonitor is one. */
export interface BfdSessions {
  set(peers: readonly BfdPeer[]): void;
  stop(): Promise<void>;
  readonly sessions: readonly BfdStatus[];
  readonly report: BfdReport;
}

/** Asks for BFD where a peer wants it, and ends a BGP session the moment its path is lost. */
export class BfdWatch {
  readonly #sessions: BfdSessions;
  #peers: readonly PeerConfig[];

  constructor(
    open: (onChange: (change: BfdChange) => void) => BfdSessions,
    peers: readonly PeerConfig[],
    journal: Journal,
    onLost: (address: string) => void,
  ) {
    this.#peers = wanting(peers);
    this.#sessions = open((change) => {
      const { address: peer, from, to, reason, lost } = change;
      if (lost) onLost(peer);
      const detail = lost ? "the path to the router is gone" : "";
      journal.append({ kind: "session", peer, from: `BFD ${from}`, to: `BFD ${to}`, reason, detail });
    });
  }

  /** Whether any peer wants it. */
  get wanted(): boolean {
    return this.#peers.length > 0;
  }

  get report(): BfdReport {
    return this.#sessions.report;
  }

  /** The shortest interval that was asked for: lag beyond a third of it endangers sessions. */
  get shortestInterval(): Duration {
    return milliseconds(Math.min(...this.#peers.map(({ bfd }) => bfd?.interval ?? DEFAULT_INTERVAL)));
  }

  of(address: string): BfdStatus | undefined {
    return this.#sessions.sessions.find((session) => session.address === address);
  }

  /** Sessions of peers that are the same in both go on. */
  reload(peers: readonly PeerConfig[]): void {
    this.#peers = wanting(peers);
    this.start();
  }

  start(): void {
    this.#sessions.set(
      this.#peers.map(({ address, localAddress, bfd }) => ({
        address,
        localAddress,
        interval: bfd?.interval,
        multiplier: bfd?.multiplier,
      })),
    );
  }

  stop(): Promise<void> {
    return this.#sessions.stop();
  }
}

function wanting(peers: readonly PeerConfig[]): PeerConfig[] {
  return peers.filter(({ bfd }) => bfd !== undefined);
}
