import type { BfdChange, BfdPeer, BfdReport, BfdStatus } from "@stitch/bfd";
import { milliseconds } from "@stitch/clock";
import type { BfdSessions } from "../src/bfd-watch.ts";

/** BFD that is moved by hand. */
export class FakeBfd implements BfdSessions {
  readonly report: BfdReport = {
    sessions: [],
    refused: {} as BfdReport["refused"],
    lag: milliseconds(0),
    precedence: "none",
  };
  wanted: readonly BfdPeer[] = [];
  stopped = false;
  readonly change: (change: BfdChange) => void;

  constructor(onChange: (change: BfdChange) => void) {
    this.change = onChange;
  }

  get sessions(): readonly BfdStatus[] {
    return this.report.sessions;
  }

  set(peers: readonly BfdPeer[]): void {
    this.wanted = peers;
  }

  stop(): Promise<void> {
    this.stopped = true;
    return Promise.resolve();
  }
}
