import type { DecisionEntry } from "../journal.ts";

/** A VIP's route over a span of time. */
export interface RouteHistory {
  /** Share of the span, 0..1, in which routers heard it plainly, and as last resort. */
  readonly normal: number;
  readonly lastResort: number;
  /** How often it was taken away. */
  readonly withdrawals: number;
}

/** `span` in microseconds of wall time. */
export function historyOf(
  decisions: readonly (DecisionEntry & { readonly at: string })[],
  span: { readonly from: number; readonly to: number },
): RouteHistory {
  const spent = { normal: 0, "last-resort": 0, none: 0 };
  let since = span.from;
  let wish = decisions[0]?.wish.from ?? "none";
  for (const { at, wish: change } of decisions) {
    const now = Date.parse(at) * 1_000;
    spent[wish] += now - since;
    [since, wish] = [now, change.to];
  }
  spent[wish] += span.to - since;
  const whole = span.to - span.from;
  const share = (time: number): number => (whole <= 0 ? 0 : time / whole);
  const withdrawals = decisions.filter(({ wish: change }) => change.from !== "none" && change.to === "none").length;
  return { normal: share(spent.normal), lastResort: share(spent["last-resort"]), withdrawals };
}
