/** How busy a VIP says it is, as routers hear it: large community ASN:2:STEP, and own AS `prepend` times more. */
export interface LoadMark {
  /** 0 idle .. 9 saturated. */
  readonly step: number;
  /** 0 .. 3. */
  readonly prepend: number;
}

export const LOAD_STEPS = 10;
const PREPEND_LEVELS = 4;
/** A boundary must be passed by this share of a step before the step changes: load that sits on it moves nobody. */
const HYSTERESIS = 0.2;

/** The mark of a load, 0..1, without a past. */
export function markOf(load: number): LoadMark {
  return { step: floor(load, LOAD_STEPS), prepend: floor(load, PREPEND_LEVELS) };
}

/** The mark after `before`; the same object when the load has not moved far enough. */
export function nextMark(before: LoadMark, load: number): LoadMark {
  const step = moved(before.step, load, LOAD_STEPS);
  const prepend = moved(before.prepend, load, PREPEND_LEVELS);
  return step === before.step && prepend === before.prepend ? before : { step, prepend };
}

function moved(before: number, load: number, count: number): number {
  const exact = load * count;
  const stays = exact >= before - HYSTERESIS && exact < before + 1 + HYSTERESIS;
  return stays ? before : floor(load, count);
}

function floor(load: number, count: number): number {
  return Math.min(count - 1, Math.floor(load * count));
}
