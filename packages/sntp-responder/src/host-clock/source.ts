import type { Duration } from "@stitch/clock";
import type { ClockReading } from "./clock-state.ts";

export type SourceAnswer =
  | { readonly kind: "reading"; readonly reading: ClockReading }
  /** `detail` says in words that stay the same from poll to poll why there is no reading. */
  | { readonly kind: "none"; readonly detail: string };

/** Somebody who knows the state of this host's clock. */
export interface ClockSource {
  /** For logs and health: `chronyd 127.0.0.1:323`. */
  readonly name: string;
  /** Asks once; resolves within `limit` and never rejects. */
  read(limit: Duration): Promise<SourceAnswer>;
}
