import { type Clock, type Duration, milliseconds, seconds, type Timer } from "@stitch/clock";

import { type BfdPeer, type WantedPeer, wantedPeers } from "./peer.ts";
import type { WorkerNotice, WorkerSettings } from "./protocol.ts";
import { noneRefused } from "./reasons.ts";
import { MAX_LINGER } from "./session.ts";
import type { BfdChange, BfdReport, BfdStatus } from "./status.ts";
import { BFD_PORT } from "./udp-transport.ts";
import { startThread, type Thread } from "./worker-transport.ts";

/** How soon a thread that died is replaced: at once would be a storm when it dies at once. */
export const RESTART_WAIT: Duration = seconds(1);
/** How long `stop` waits for the peers to be told, and then for the thread. */
export const STOP_WAIT: Duration = milliseconds(MAX_LINGER + 1_000);

export interface BfdMonitorOptions {
  readonly clock: Clock;
  /** A session has changed its state; called in the turn in which the thread's message arrives. */
  readonly onChange: (change: BfdChange) => void;
  /** The thread has died; another one is started. */
  readonly onFailure: (failure: Error) => void;
  /** UDP port to listen on, and of the peers; for tests, in which several hosts are one. */
  readonly port?: number;
  readonly peerPort?: number;
  /** For tests on machines whose sockets do not say the hop limit of what they receive: forged packets pass. */
  readonly unsafeWithoutHopLimit?: boolean;
  /** For tests: another way to start the thread. */
  readonly start?: typeof startThread;
}

const NO_REPORT: BfdReport = { sessions: [], refused: noneRefused(), lag: milliseconds(0), precedence: "none" };

/** The owner's side: a wish goes in, changes come out, and the sessions are in a thread that nothing here can stall. */
export class BfdMonitor {
  readonly #options: BfdMonitorOptions;
  readonly #settings: WorkerSettings;
  #wanted: readonly WantedPeer[] = [];
  #report = NO_REPORT;
  #thread: Thread | undefined;
  #restart: Timer | undefined;
  #stopping: PromiseWithResolvers<void> | undefined;

  constructor(options: BfdMonitorOptions) {
    this.#options = options;
    const { port = BFD_PORT, peerPort = port, unsafeWithoutHopLimit = false } = options;
    this.#settings = { port, peerPort, unsafeWithoutHopLimit };
  }

  /** What the thread last said: at every change, and once a second. */
  get report(): BfdReport {
    return this.#report;
  }

  get sessions(): readonly BfdStatus[] {
    return this.#report.sessions;
  }

  /**
   * Every session that is wanted. Those that are not in it end with AdminDown; those that stay are not disturbed, and
   * take new intervals by a poll. Throws RangeError on a wish that cannot be a session, and changes nothing then. The
   * thread is started by the first wish that is not empty.
   */
  set(peers: readonly BfdPeer[]): void {
    this.#wanted = wantedPeers(peers);
    if (this.#stopping !== undefined) return;
    if (this.#thread !== undefined) this.#thread.post({ kind: "set", peers: this.#wanted });
    else if (this.#wanted.length > 0 && this.#restart === undefined) this.#start();
  }

  /** Tells the peers AdminDown for a detection time, so that they do not take our end for a loss; then ends the thread. */
  stop(): Promise<void> {
    if (this.#stopping !== undefined) return this.#stopping.promise;
    this.#stopping = Promise.withResolvers();
    this.#restart?.cancel();
    const thread = this.#thread;
    if (thread === undefined) this.#stopping.resolve();
    else {
      thread.post({ kind: "stop" });
      const late = this.#options.clock.after("bfd-stop", STOP_WAIT, () => thread.terminate());
      void this.#stopping.promise.then(() => late.cancel());
    }
    return this.#stopping.promise;
  }

  #start(): void {
    this.#restart = undefined;
    const { start = startThread } = this.#options;
    this.#thread = start(this.#settings, {
      notice: (notice) => this.#notice(notice),
      ended: (failure) => this.#ended(failure),
    });
    this.#thread.post({ kind: "set", peers: this.#wanted });
  }

  #notice(notice: WorkerNotice): void {
    switch (notice.kind) {
      case "change":
        return this.#options.onChange(notice.change);
      case "report":
        this.#report = notice.report;
        return;
    }
  }

  /** Exactly once for each thread. After `stop` it is what was waited for; else the sessions are gone unsaid. */
  #ended(failure: Error | undefined): void {
    this.#thread = undefined;
    if (this.#stopping !== undefined) return this.#stopping.resolve();
    const { clock, onChange, onFailure } = this.#options;
    onFailure(failure ?? new Error("the BFD thread has ended by itself"));
    const lost = this.#report.sessions.filter(({ state }) => state !== "AdminDown");
    this.#report = NO_REPORT;
    this.#restart = clock.after("bfd-restart", RESTART_WAIT, () => this.#start());
    for (const { address, state } of lost) {
      onChange({ address, from: state, to: "AdminDown", reason: "worker-lost", lost: false, at: clock.now() });
    }
  }
}
