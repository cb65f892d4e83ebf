/** RFC 5880 section 4.1, State; the index is the code. */
export const BFD_STATES = ["AdminDown", "Down", "Init", "Up"] as const;

export type BfdState = (typeof BFD_STATES)[number];

/** Of the two bits of the field: every value is a state. */
export function stateOf(code: number): BfdState {
  return BFD_STATES[code & 3] ?? "AdminDown";
}

export function stateCode(state: BfdState): number {
  return BFD_STATES.indexOf(state);
}
