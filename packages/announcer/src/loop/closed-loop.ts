import { elapsed, seconds, type Clock, type Duration, type Instant, type Timer } from "@stitch/clock";
import type { Announcer } from "../announcer.ts";
import type { PollResult } from "../check/observer.ts";
import type { Clients } from "../decision/drain.ts";
import type { Journal, JournalEntry } from "../journal.ts";
import type { Vip } from "../vip.ts";
import type { Acknowledged } from "./connections.ts";
import { findings, type Finding, type PeerFacts, type VipFacts } from "./findings.ts";
import { Receipts } from "./receipts.ts";
import type { AlarmCode } from "./reasons.ts";

const LOOK: Duration = seconds(1);
/** A peer that has refused us for our number of prefixes is believed again after so long in one session. */
const FORGIVEN: Duration = seconds(60);
/** A self-query that has failed is asked again this often, until it passes. */
const ASK_AGAIN: Duration = seconds(5);

export interface ClosedLoopOptions {
  readonly announcer: Announcer;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly clients: (vip: string) => Clients;
  readonly acknowledged: Acknowledged;
  /** Uses a VIP's service through the VIP; undefined where the configuration names no way. */
  readonly query: (vip: Vip) => Promise<PollResult> | undefined;
}

interface Watched {
  clientsSeen: boolean;
  /** Empty while it is well. */
  selfQuery: string;
  asked: Instant | undefined;
}

/**
 * Proves the effect of what the announcer says. It watches and never decides: a route does not depend on it.
 *
 * Normal: a VIP is announced; its self-query through the VIP passes, the peers have been sent the route, clients come.
 * Hard: all sessions are established and nobody routes to us. Each thing that is wrong is a finding; one that lasts is an
 * alarm, and an alarm ends when what it found does.
 */
export class ClosedLoop {
  readonly #options: ClosedLoopOptions;
  readonly #watched = new Map<string, Watched>();
  /** Since when each finding has been so. */
  readonly #since = new Map<string, Instant>();
  /** Peers that have refused us for our number of prefixes. */
  readonly #limited = new Set<string>();
  readonly #establishedSince = new Map<string, Instant>();
  readonly #receipts: Receipts;
  #found = new Map<string, Finding>();
  #timer: Timer | undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(options: ClosedLoopOptions) {
    this.#options = options;
    this.#receipts = new Receipts(options.journal, options.clock, options.acknowledged);
  }

  start(): void {
    const { journal, clock } = this.#options;
    this.#unsubscribe = journal.onEntry((entry) => this.#read(entry));
    this.#timer = clock.every("closed-loop", LOOK, () => this.#look());
  }

  stop(): void {
    this.#unsubscribe?.();
    this.#timer?.cancel();
    this.#receipts.stop();
  }

  #read(entry: JournalEntry): void {
    if (entry.kind === "update") this.#receipts.sent(entry);
    if (entry.kind === "session" && entry.reason === "prefix-limit") this.#limited.add(entry.peer);
    if (entry.kind !== "decision" || entry.wish.from === entry.wish.to) return;
    const watched = this.#of(entry.vip);
    watched.clientsSeen = false;
    if (entry.wish.to === "none") watched.selfQuery = "";
    const vip = this.#options.announcer.vips.find(({ name }) => name === entry.vip);
    if (vip !== undefined && entry.wish.to !== "none") void this.#ask(vip, entry.id);
  }

  async #ask(vip: Vip, cause: number): Promise<void> {
    const { query, journal, clock } = this.#options;
    const watched = this.#of(vip.name);
    const answer = query(vip);
    if (answer === undefined) return;
    const began = clock.now();
    watched.asked = began;
    const { verdict, detail } = await answer;
    if (vip.wish === "none" || watched.asked !== began) return; // withdrawn or asked again: this proves nothing now
    const news = watched.selfQuery === "" || verdict !== "fail";
    watched.selfQuery = verdict === "fail" ? `the service does not answer through the VIP: ${detail}` : "";
    const took = Math.round(elapsed(began, clock.now()));
    if (news) journal.append({ kind: "proof", vip: vip.name, cause, verdict, detail, took });
  }

  #look(): void {
    const { announcer, clock } = this.#options;
    const now = clock.now();
    const vips = announcer.vips.map((vip) => this.#vipFacts(vip, now));
    const peers = announcer.peers.map((peer) => this.#peerFacts(peer, now));
    const found = new Map(findings(vips, peers).map((finding) => [`${finding.code} ${finding.subject}`, finding]));
    for (const [key, { code, subject }] of this.#found) if (!found.has(key)) this.#over(key, code, subject);
    this.#found = found;
    for (const [key, { code, subject, detail, after }] of found) {
      const since = this.#since.get(key) ?? now;
      this.#since.set(key, since);
      if (elapsed(since, now) >= after) announcer.alarms.raise(code, subject, detail);
    }
  }

  #over(key: string, code: AlarmCode, subject: string): void {
    this.#since.delete(key);
    this.#options.announcer.alarms.clear(code, subject);
  }

  #vipFacts(vip: Vip, now: Instant): VipFacts {
    const { announcer, clients: clientsOf } = this.#options;
    const { name, wish } = vip;
    const watched = this.#of(name);
    const clients = clientsOf(name);
    if (clients === "flowing") watched.clientsSeen = true;
    const again = watched.selfQuery !== "" && watched.asked !== undefined && elapsed(watched.asked, now) >= ASK_AGAIN;
    if (again && wish !== "none") void this.#ask(vip, 0);
    const { clientsSeen, selfQuery } = watched;
    const prepend = vip.loadMark?.prepend ?? 0;
    return { name, wish, prepend, clients, clientsSeen, selfQuery, others: announcer.otherOrigins(vip) };
  }

  #peerFacts({ config, status }: Announcer["peers"][number], now: Instant): PeerFacts {
    const { address, asn } = config;
    if (status.reason === "prefix-limit") this.#limited.add(address);
    const since = this.#establishedSince.get(address) ?? now;
    if (status.state === "Established") this.#establishedSince.set(address, since);
    else this.#establishedSince.delete(address);
    if (status.state === "Established" && elapsed(since, now) >= FORGIVEN) this.#limited.delete(address);
    const internal = asn === this.#options.announcer.origin.asn;
    return {
      address,
      internal,
      status,
      limited: this.#limited.has(address),
      late: this.#receipts.late.includes(address),
    };
  }

  #of(vip: string): Watched {
    const known = this.#watched.get(vip) ?? { clientsSeen: false, selfQuery: "", asked: undefined };
    this.#watched.set(vip, known);
    return known;
  }
}
