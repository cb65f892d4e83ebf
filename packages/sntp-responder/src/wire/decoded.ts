/** Why bytes were not what they should have been, and where. */
export interface FormatError {
  readonly kind: "short" | "version" | "type" | "command" | "status" | "sequence";
  /** Offset of the first byte that is wrong or missing. */
  readonly at: number;
}

/** Bytes in, value or reason out; `end` lets the caller insist that nothing is left over. */
export type Decoded<T> =
  | { readonly ok: true; readonly value: T; readonly end: number }
  | { readonly ok: false; readonly error: FormatError };

export function failed(kind: FormatError["kind"], at: number): { readonly ok: false; readonly error: FormatError } {
  return { ok: false, error: { kind, at } };
}
