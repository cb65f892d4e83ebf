import { formatPrefix, type Prefix } from "@stitch/bgp-speaker";
import {
  elapsed,
  formatDuration,
  later,
  milliseconds,
  seconds,
  type Clock,
  type Duration,
  type Instant,
} from "@stitch/clock";
import type { HealthReport } from "@stitch/health";
import { namesLoad } from "./check/describe.ts";
import type { LeaseLoss } from "./check/lease.ts";
import type { CheckObserver, Judgement, PollResult } from "./check/observer.ts";
import type { VipConfig } from "./config.ts";
import { markOf, nextMark, type LoadMark } from "./decision/load.ts";
import { INITIAL, step, wish, type MachineEvent, type Situation, type Verdict, type Wish } from "./decision/machine.ts";
import type { FlapMemory } from "./flap-memory.ts";
import { HealthRecord } from "./health-record.ts";
import type { Journal, JournalEntry } from "./journal.ts";
import { sameCheck } from "./reload/changes.ts";

/** A change of load is an UPDATE at every router on the way: no more often than this. */
const LOAD_PACE: Duration = seconds(10);

export interface VipOptions {
  readonly config: VipConfig;
  readonly clock: Clock;
  readonly journal: Journal;
  /** The state or the wish has changed; `entry` is the decision in the journal. */
  readonly onDecision: (vip: Vip, entry: JournalEntry) => void;
  /** The service says that it is on its way out; called after the machine has heard of it. */
  readonly onServiceDraining: (vip: Vip) => void;
  /** What is remembered of its falls. */
  readonly flaps: FlapMemory;
}

/** One VIP: what its service says of itself, the state that follows, and what the router should hear. */
export class Vip implements CheckObserver {
  #config: VipConfig;
  readonly name: string;
  readonly #options: VipOptions;
  #situation: Situation = INITIAL;
  #report: HealthReport | undefined;
  #load = 0;
  #since: Instant;
  #lastLoss = "";
  #heard = false;
  #movesByLoad: boolean;
  #loadMark: LoadMark = markOf(0);
  #loadMoved: Instant | undefined;
  #addressMissing = false;
  readonly #record: HealthRecord;
  #lastDecision: number | undefined;

  constructor(options: VipOptions) {
    this.#options = options;
    this.#config = options.config;
    this.name = formatPrefix(options.config.prefix);
    this.#since = options.clock.now();
    this.#movesByLoad = namesLoad(options.config.check);
    const { journal } = options;
    this.#record = new HealthRecord({ vip: this.name, service: () => this.config.service, journal });
    const wait = options.flaps.waitLeft(this.name, options.config.damping);
    if (wait > 0) this.#situation = { state: { name: "DOWN", until: later(this.#since, wait) }, verdict: "unknown" };
  }

  get config(): VipConfig {
    return this.#config;
  }

  /**
   * Another policy for the same prefix: the state stays, and what happens next is judged by the new one. What a service
   * said to the check before is no word of the next.
   */
  configure(config: VipConfig): void {
    if (!sameCheck(this.#config, config)) this.#report = undefined;
    this.#config = config;
    this.#movesByLoad = namesLoad(config.check);
  }

  get prefix(): Prefix {
    return this.config.prefix;
  }

  get situation(): Situation {
    return this.#situation;
  }

  get wish(): Wish {
    return wish(this.#situation.state, this.#situation.verdict);
  }

  /** The check has come to a result at least once. */
  get heard(): boolean {
    return this.#heard;
  }

  /** The last report of the service; undefined while its lease is lost, and where no lease is the check. */
  get lastReport(): HealthReport | undefined {
    return this.#report;
  }

  /** Why the check fails, in words; empty while it passes. */
  get lastLoss(): string {
    return this.#lastLoss;
  }

  /** The VIP is not an address of this machine. */
  get addressMissing(): boolean {
    return this.#addressMissing;
  }

  get load(): number {
    return this.#load;
  }

  /** What routers hear of the load; undefined where it moves nobody. */
  get loadMark(): LoadMark | undefined {
    return this.#movesByLoad ? this.#loadMark : undefined;
  }

  /** What is left of the penalty for past falls. */
  get penalty(): number {
    return this.#options.flaps.penalty(this.name, this.config.damping);
  }

  /** Since when the state is what it is. */
  get since(): Instant {
    return this.#since;
  }

  report(report: HealthReport): void {
    this.#report = report;
    this.#record.report(report, describe(report));
    this.#found(false, "", report.load);
    if (!this.#addressMissing) this.apply({ kind: "verdict", verdict: report.verdict }, describe(report));
    this.#serviceMayStop(report);
  }

  renewed(load: number): void {
    this.#load = load;
    if (this.#report?.phase === "serving") this.apply({ kind: "renewed" }, "self-check answered");
  }

  lost(reason: LeaseLoss, detail: string): void {
    this.#report = undefined;
    this.#record.lost(reason, detail);
    this.#found(true, detail, undefined);
    this.apply({ kind: "lost", reason }, detail);
  }

  get unsettled(): boolean {
    const { name } = this.#situation.state;
    return name === "RISING" || name === "FALLING";
  }

  polled(result: PollResult): void {
    const { verdict, detail, load } = result;
    this.#record.polled(result);
    this.#found(verdict === "fail", detail, load);
    if (!this.#addressMissing) this.apply({ kind: "polled", verdict }, detail);
  }

  judged(judgement: Judgement): void {
    const { verdict, reason, detail, load, good } = judgement;
    this.#record.judged(judgement);
    this.#found(verdict === "fail", detail, load);
    if (this.#addressMissing) return;
    this.apply({ kind: "judged", verdict, reason }, detail);
    if (good) this.apply({ kind: "renewed" }, detail);
  }

  /** A part of a combination: its verdict has been weighed already, but a stop is planned for whoever it concerns. */
  heardOf(report: HealthReport | undefined): void {
    this.#report = report;
    if (report !== undefined) this.#serviceMayStop(report);
  }

  #found(failed: boolean, detail: string, load: number | undefined): void {
    this.#lastLoss = failed ? detail : "";
    this.#heard = true;
    if (load !== undefined) this.#load = load;
    if (load !== undefined && this.#movesByLoad) this.#weighLoad(load);
  }

  /** While announced, the mark moves past its hysteresis only, and no more often than LOAD_PACE. */
  #weighLoad(load: number): void {
    const { clock, journal, onDecision } = this.#options;
    if (this.wish !== "normal") return void (this.#loadMark = markOf(load));
    const now = clock.now();
    const mark = nextMark(this.#loadMark, load);
    if (mark === this.#loadMark) return;
    if (this.#loadMoved !== undefined && elapsed(this.#loadMoved, now) < LOAD_PACE) return;
    this.#loadMark = mark;
    this.#loadMoved = now;
    const { service } = this.config;
    onDecision(this, journal.append({ kind: "load", vip: this.name, service, load, ...mark }));
  }

  #serviceMayStop({ phase }: HealthReport): void {
    if (phase !== "draining") return;
    this.apply({ kind: "drain", by: "service" }, "the service was told to stop", this.#record.id);
    this.#options.onServiceDraining(this);
  }

  /**
   * A VIP that is not an address of this machine is announced into nowhere, however well its service is. `undefined`:
   * could not be told; what was known holds, lest a machine short of descriptors withdraw all it has.
   */
  addressChecked(present: boolean | undefined): void {
    if (present === undefined || present === !this.#addressMissing) return;
    this.#addressMissing = !present;
    const detail = `${this.config.prefix.address} is ${present ? "an" : "not an"} address of this machine`;
    this.#record.address(present, detail);
    if (!present) this.apply({ kind: "lost", reason: "vip-not-local" }, detail);
    // The report of a combination is one part's; the whole is judged with the next check.
    else if (this.#report !== undefined && this.config.check.kind === "lease") this.report(this.#report);
  }

  /**
   * Steps the machine; journals and tells of what changed. Counting checks while RISING is not news. `cause` is the entry
   * of who asked for it, where it is neither a check nor what an earlier decision has begun.
   */
  apply(event: MachineEvent, detail: string, cause?: number): boolean {
    const before = this.#situation;
    const { clock, journal, onDecision, flaps } = this.#options;
    const wait = this.#waitAfterFall(before);
    const holdDown = Math.max(wait, this.config.holdDown) as Duration;
    const result = step(before, event, { ...this.config, holdDown }, clock.now());
    if (result === undefined) return false;
    const wishBefore = this.wish;
    this.#situation = result.situation;
    const { state, verdict } = result.situation;
    const news = state.name !== before.state.name || verdict !== before.verdict;
    if (!news) return false;
    if (state.name !== before.state.name) this.#since = clock.now();
    const fallen = state.name === "DOWN" && isAnnounced(before);
    if (fallen) flaps.fell(this.name, this.config.damping);
    const damped = fallen && wait > 0 ? `; it has fallen too often and waits ${formatDuration(rounded(wait))}` : "";
    const entry = journal.append({
      kind: "decision",
      vip: this.name,
      service: this.config.service,
      from: before.state.name,
      to: state.name,
      verdict,
      wish: { from: wishBefore, to: this.wish },
      reason: result.reason,
      detail: `${detail}${damped}`,
      cause: cause ?? (BY_CHECK.has(event.kind) ? this.#record.id : this.#lastDecision),
    });
    this.#lastDecision = entry.id;
    onDecision(this, entry);
    return true;
  }

  #waitAfterFall(before: Situation): Duration {
    return isAnnounced(before) ? this.#options.flaps.waitIfItFell(this.name, this.config.damping) : milliseconds(0);
  }

  get verdict(): Verdict {
    return this.#situation.verdict;
  }
}

const BY_CHECK: ReadonlySet<MachineEvent["kind"]> = new Set(["verdict", "renewed", "lost", "polled", "judged"]);

/** A fall from here is a fall for cause: a drain takes another way. */
function isAnnounced({ state }: Situation): boolean {
  return state.name === "UP" || state.name === "FALLING";
}

function rounded(duration: Duration): Duration {
  return (Math.ceil(duration / 1_000) * 1_000) as Duration;
}

function describe({ phase, reasons }: HealthReport): string {
  const because = reasons.map(({ code, detail }) => (detail === "" ? code : `${code}: ${detail}`)).join("; ");
  return because === "" ? `the service reports ${phase}` : because;
}
