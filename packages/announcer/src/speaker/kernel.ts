import type { BlockList } from "node:net";
import { formatPrefix, type Advertisement, type Prefix, type ReceivedPath } from "@stitch/bgp-speaker";
import { milliseconds, seconds, type Clock, type Duration, type Timer } from "@stitch/clock";
import type { Journal } from "../journal.ts";
import type { RouteTable } from "./ip-command.ts";
import { difference, isEmpty, kernelRouteFor, type Difference, type KernelRoute } from "./kernel-route.ts";
import { KERNEL_REASONS, type KernelReason } from "./reasons.ts";
import type { Speaker } from "./speaker.ts";
import type { Watchdog, WatchdogEvent } from "./watchdog/watchdog.ts";

/** How often the kernel is asked whether it still has what is wished; a daemon or an operator may have removed it. */
const RECONCILE: Duration = seconds(2);
/** After a failure of `ip`: soon, and never in a tight loop. */
const RETRY: Duration = milliseconds(250);
/** Name of this speaker where peers are named by their address. */
export const KERNEL = "kernel";

const NO_PATHS: ReadonlyMap<string, ReceivedPath> = new Map();

export interface KernelSpeakerOptions {
  /** The VIPs: which families to look at. */
  readonly prefixes: readonly Prefix[];
  readonly table: RouteTable;
  readonly openWatchdog: (onEvent: (event: WatchdogEvent) => void) => Watchdog;
  readonly clock: Clock;
  readonly journal: Journal;
}

/**
 * Announces by routes in the kernel's main table, for FRR or BIRD to redistribute.
 *
 * A normal day: `set` with one VIP, one `ip` adds its route; the service is killed, `set` without it, one `ip` removes
 * the route; every two seconds one `ip` per family reads the tables and finds nothing to do.
 *
 * A hard one: the operator restarts networking and the route is gone: the next reading puts it back (`route-missing`).
 * Or `ip` hangs: it is killed after two seconds, what the kernel has is unknown, so the next round reads before it writes.
 */
export class KernelSpeaker implements Speaker {
  readonly #options: KernelSpeakerOptions;
  readonly #watchdog: Watchdog;
  readonly #counts = new Map<KernelReason, number>(KERNEL_REASONS.map((reason) => [reason, 0]));
  readonly #local = new Map<Prefix["family"], BlockList>();
  #prefixes: readonly Prefix[];
  #misplaced: readonly string[] = [];
  #wished: readonly KernelRoute[] = [];
  /** What we have put into the kernel, and nobody has taken away as far as we know. */
  #asserted: readonly KernelRoute[] = [];
  #mustRead = true;
  #everRead = false;
  #failure = "";
  #round: Promise<void> | undefined;
  #again = false;
  #timer: Timer | undefined;
  cause: number | undefined;

  constructor(options: KernelSpeakerOptions) {
    this.#options = options;
    this.#prefixes = options.prefixes;
    this.#watchdog = options.openWatchdog((event) => this.#watchdogSaid(event));
  }

  get established(): boolean {
    return this.#everRead && this.#failure === "";
  }

  /** The kernel does not show where else an address is announced. */
  get others(): ReadonlyMap<string, ReceivedPath> {
    return NO_PATHS;
  }

  get asserted(): readonly string[] {
    return this.#asserted.map(({ prefix }) => formatPrefix(prefix));
  }

  /** Why the tables cannot be read or changed; empty while they can. */
  get failure(): string {
    return this.#failure;
  }

  get watched(): boolean {
    return this.#watchdog.running;
  }

  get counts(): ReadonlyMap<KernelReason, number> {
    return this.#counts;
  }

  /** True when the local table delivers `address` to this machine; undefined when the tables have not been read. */
  hasAddress(address: string): boolean | undefined {
    const family = address.includes(":") ? "ipv6" : "ipv4";
    return this.#local.get(family)?.check(address, family);
  }

  /** VIPs that are addresses of an interface: routing daemons prefer that to our route, and announce it always or never. */
  get misplaced(): readonly string[] {
    return this.#misplaced;
  }

  start(): void {
    this.#watchdog.start();
    this.#work();
  }

  set(advertisements: readonly Advertisement[]): void {
    this.#wished = advertisements.map(kernelRouteFor);
    this.#work();
  }

  /** Other VIPs than before. The watchdog hears of them first: no route is ever there that it would leave behind. */
  watch(prefixes: readonly Prefix[]): void {
    this.#prefixes = prefixes;
    this.#watchdog.cover(prefixes);
    this.#reconcile();
  }

  /** Resolves when the tables have been read as far as that has begun. */
  async read(): Promise<void> {
    await this.#round;
  }

  async stop(_text: string): Promise<void> {
    this.set([]);
    await this.#round;
    this.#timer?.cancel();
    this.#watchdog.stop();
  }

  /** One round at a time; a wish that comes meanwhile is seen by the next. */
  #work(): void {
    if (this.#round !== undefined) {
      this.#again = true;
      return;
    }
    this.#timer?.cancel();
    this.#round = this.#rounds().finally(() => {
      this.#round = undefined;
    });
  }

  async #rounds(): Promise<void> {
    do {
      this.#again = false;
      await this.#assert();
    } while (this.#again);
    const delay = this.#failure === "" ? RECONCILE : RETRY;
    this.#timer = this.#options.clock.after("kernel-reconcile", delay, () => this.#reconcile());
  }

  #reconcile(): void {
    this.#mustRead = true;
    this.#work();
  }

  async #assert(): Promise<void> {
    try {
      const reads = this.#mustRead;
      this.#mustRead = false; // before the reading: who asks for one meanwhile wants another
      const found = reads ? await this.#read() : this.#asserted;
      if (reads) this.#noteDrift(difference(this.#asserted, found));
      this.#asserted = found;
      const wished = this.#wished;
      const change = difference(wished, found);
      if (!isEmpty(change)) await this.#change(wished, change);
      this.#recovered();
    } catch (failure) {
      this.#mustRead = true;
      this.#failed((failure as Error).message);
    }
  }

  async #read(): Promise<readonly KernelRoute[]> {
    const prefixes = this.#prefixes;
    const { table } = this.#options;
    const found: KernelRoute[] = [];
    const onInterface = new Set<string>();
    for (const family of new Set(prefixes.map((prefix) => prefix.family))) {
      const tables = await table.read(family);
      found.push(...tables.routes);
      this.#local.set(family, tables.local);
      for (const address of tables.onInterface) onInterface.add(address);
    }
    this.#everRead = true;
    this.#noteMisplaced(prefixes.filter(({ address }) => onInterface.has(address)).map(formatPrefix));
    return found;
  }

  #noteMisplaced(misplaced: readonly string[]): void {
    const news = misplaced.filter((name) => !this.#misplaced.includes(name));
    if (news.length > 0) this.#tell("address-on-interface", news.join(", "));
    this.#misplaced = misplaced;
  }

  /** Where the kernel is not as we left it: somebody else has been at work, or an announcer before us. */
  #noteDrift({ add: missing, remove: leftover }: Difference): void {
    if (missing.length > 0) this.#tell("route-missing", namesOf(missing));
    if (leftover.length > 0) this.#tell("route-leftover", namesOf(leftover));
  }

  async #change(wished: readonly KernelRoute[], change: Difference): Promise<void> {
    const { cause } = this;
    try {
      await this.#options.table.change(change);
    } catch (failure) {
      // A line may have failed because its work was done already: the tables tell.
      this.#asserted = await this.#read();
      if (!isEmpty(difference(wished, this.#asserted))) throw failure;
    }
    this.#asserted = wished;
    this.#journal(wished, change, cause);
  }

  /** A route that changes between normal and last resort is announced, not withdrawn. */
  #journal(wished: readonly KernelRoute[], { add, remove }: Difference, cause: number | undefined): void {
    const stays = new Set(wished.map(({ prefix }) => formatPrefix(prefix)));
    const withdrawn = remove.map(({ prefix }) => formatPrefix(prefix)).filter((name) => !stays.has(name));
    const announced = add.map(({ prefix }) => formatPrefix(prefix));
    this.#options.journal.append({ kind: "update", peer: KERNEL, announced, withdrawn, cause });
  }

  #watchdogSaid({ kind, detail }: WatchdogEvent): void {
    this.#tell(`watchdog-${kind}`, detail);
    if (kind === "flushed") this.#reconcile();
  }

  #failed(detail: string): void {
    if (this.#failure === "") this.#tell("ip-failed", detail);
    this.#failure = detail;
  }

  #recovered(): void {
    if (this.#failure === "") return;
    this.#failure = "";
    this.#tell("ip-recovered", "the kernel's tables can be read and changed again");
  }

  #tell(reason: KernelReason, detail: string): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
    const state = this.#failure === "" ? "working" : "failing";
    this.#options.journal.append({ kind: "session", peer: KERNEL, from: state, to: state, reason, detail });
  }
}

function namesOf(routes: readonly KernelRoute[]): string {
  return routes.map(({ prefix, type, metric }) => `${type} ${formatPrefix(prefix)} metric ${metric}`).join(", ");
}
