import { milliseconds, seconds, type Duration } from "@stitch/clock";
import type { HealthReport } from "@stitch/health";
import type { CheckConfig } from "../config/checks.ts";
import type { StateName } from "../decision/machine.ts";
import type { HealthEntry } from "../journal.ts";
import type { Vip } from "../vip.ts";
import { RecordedGuard, type DrainTimes } from "./recorded-guard.ts";
import type { RecordedTime } from "./recorded-time.ts";
import type { Happening } from "./timeline.ts";

/** A lease is renewed ten times a second. */
const RENEWAL: Duration = milliseconds(100);
/** Combinations have no pace of their own. */
const COMBINED: Duration = seconds(1);

/** Lets one VIP live through its timeline. */
export class Player {
  readonly #vip: Vip;
  readonly #time: RecordedTime;
  readonly #guard: RecordedGuard;
  /** What its check said last, and goes on saying. */
  #said: HealthEntry | undefined;

  constructor(vip: Vip, time: RecordedTime, times: DrainTimes) {
    this.#vip = vip;
    this.#time = time;
    this.#guard = new RecordedGuard(vip, times);
  }

  play(happening: Happening): void {
    this.#time.moveTo(happening.at);
    this.#happen(happening);
    this.#guard.look(this.#time.wallMicros());
  }

  /** Until the next happening: the check says the same again, and the guard's withdrawal comes when it is due. */
  goOn(until: number): void {
    for (let due = this.#guard.due; due !== undefined && due.at <= until; due = this.#guard.due) {
      this.#repeat(due.at);
      if (this.#guard.due?.at !== due.at) continue; // the check has ended the drain
      this.#time.moveTo(due.at);
      this.#vip.apply({ kind: "withdraw", reason: due.reason }, "as in the recording");
      this.#guard.look(this.#time.wallMicros());
    }
    this.#repeat(until);
  }

  #happen(happening: Happening): void {
    switch (happening.kind) {
      case "said":
        this.#said = happening.entry;
        return say(this.#vip, happening.entry);
      case "drain":
        this.#guard.force(happening.forced);
        return void this.#vip.apply({ kind: "drain", by: "operator" }, happening.reason);
      case "undrain": {
        const stopping = this.#vip.lastReport?.phase === "draining";
        return void this.#vip.apply({ kind: "undrain", reason: happening.reason, stopping }, happening.detail);
      }
      case "permission":
        return this.#guard.permit(happening.reason, happening.at);
    }
  }

  /** What was said is said again at the pace of the check, while that changes anything. */
  #repeat(until: number): void {
    const [vip, time, entry] = [this.#vip, this.#time, this.#said];
    if (entry === undefined) return;
    while (matters(vip, entry)) {
      const pace = paceOf(vip.config.check, entry, vip.unsettled);
      if (time.wallMicros() + pace * 1_000 >= until) return;
      time.moveBy(pace);
      if (entry.said === "report") vip.renewed(0);
      else say(vip, entry);
      this.#guard.look(time.wallMicros());
    }
  }
}

function say(vip: Vip, entry: HealthEntry): void {
  const { detail } = entry;
  switch (entry.said) {
    case "report":
      return vip.report(reportOf(entry));
    case "lost":
      return vip.lost(entry.reason, detail);
    case "address":
      return vip.addressChecked(entry.present);
    case "poll":
      return vip.polled({ verdict: entry.verdict, detail });
    case "judged":
      return vip.judged({ verdict: entry.verdict, reason: entry.reason, good: entry.good, detail });
  }
}

const RISE_ON: ReadonlySet<StateName> = new Set(["INIT", "RISING", "DOWN", "FALLING"]);
const FALL_ON: ReadonlySet<StateName> = new Set(["UP", "FALLING", "DRAINING"]);

/** Whether hearing it once more could lead anywhere from here. */
function matters({ situation }: Vip, entry: HealthEntry): boolean {
  const { name } = situation.state;
  switch (entry.said) {
    case "lost":
    case "address":
      return false;
    case "report":
      return entry.phase === "serving" && entry.verdict !== "fail" && RISE_ON.has(name);
    case "poll":
      return (entry.verdict === "fail" ? FALL_ON : RISE_ON).has(name);
    case "judged":
      return entry.good && RISE_ON.has(name);
  }
}

function paceOf(check: CheckConfig, { said }: HealthEntry, unsettled: boolean): Duration {
  if (said === "report") return RENEWAL;
  if (!("pace" in check)) return COMBINED;
  return unsettled ? check.pace.fastInterval : check.pace.interval;
}

function reportOf({ service, phase, verdict, detail }: Extract<HealthEntry, { said: "report" }>): HealthReport {
  const reasons = verdict === "pass" ? [] : [{ code: "recorded", class: "dependency" as const, since: "", detail }];
  return { service, site: "", instance: "", phase, verdict, load: 0, reasons };
}
