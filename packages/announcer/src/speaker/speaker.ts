import type { Advertisement, ReceivedPath } from "@stitch/bgp-speaker";

/**
 * What carries the wishes of all VIPs to routers: a BGP session with one of them (peer.ts), or the kernel's table, from
 * which a routing daemon of this machine redistributes (kernel.ts).
 */
export interface Speaker {
  start(): void;
  /** The whole wish, every time: what is not in it is withdrawn. */
  set(advertisements: readonly Advertisement[]): void;
  /** Resolves when nothing of ours is left to be heard. `text` says why, where the protocol has a place for it. */
  stop(text: string): Promise<void>;
  /** Somebody hears what is set. */
  readonly established: boolean;
  /** Paths for our VIPs from elsewhere, by prefix text; always empty where other origins cannot be seen. */
  readonly others: ReadonlyMap<string, ReceivedPath>;
  /** Journal entry behind what is said next. */
  cause: number | undefined;
}
