/** Why bytes are not what they should be, and where. */
export interface FormatError {
  readonly kind: "short" | "name" | "pointer" | "counts" | "rdata" | "edns" | "trailing";
  readonly at: number;
}

/** Bytes in, value or reason out; `end` lets the caller insist that nothing is left over. */
export type Decoded<T> =
  | { readonly ok: true; readonly value: T; readonly end: number }
  | { readonly ok: false; readonly error: FormatError };

export function malformed(kind: FormatError["kind"], at: number): { readonly ok: false; readonly error: FormatError } {
  return { ok: false, error: { kind, at } };
}
