/**
 * Why bytes could not be read, in the form in which BGP says so: the NOTIFICATION to answer with
 * (RFC 4271 section 6) and a sentence for people.
 */
export interface FormatError {
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
  readonly detail: string;
}

/** A decoder's answer: the value, or why not. Decoders never throw on bytes from strangers. */
export type Decoded<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: FormatError };

export const NO_BYTES: Uint8Array = new Uint8Array(0);

export function decoded<T>(value: T): Decoded<T> {
  return { ok: true, value };
}

export function refused(
  code: number,
  subcode: number,
  detail: string,
  data: Uint8Array = NO_BYTES,
): { readonly ok: false; readonly error: FormatError } {
  return { ok: false, error: { code, subcode, data, detail } };
}
