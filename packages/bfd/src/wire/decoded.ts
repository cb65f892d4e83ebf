import type { RefusedReason } from "../reasons.ts";

/** A decoder's answer: the value, or why not. Decoders never throw on bytes from strangers. */
export type Decoded<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: RefusedReason };
