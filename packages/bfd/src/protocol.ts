import type { WantedPeer } from "./peer.ts";
import type { BfdChange, BfdReport } from "./status.ts";

/** What the thread is started with. */
export interface WorkerSettings {
  readonly port: number;
  readonly peerPort: number;
  readonly unsafeWithoutHopLimit: boolean;
}

/** From the owner to the thread. The wish is always the whole wish. */
export type WorkerOrder = { readonly kind: "set"; readonly peers: readonly WantedPeer[] } | { readonly kind: "stop" };

/** From the thread to its owner: changes at once, the report once a second and with every change. */
export type WorkerNotice =
  | { readonly kind: "change"; readonly change: BfdChange }
  | { readonly kind: "report"; readonly report: BfdReport };
