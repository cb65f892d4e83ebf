import {
  GRACEFUL_SHUTDOWN,
  formatPrefix,
  type Advertisement,
  type ReceivedPath,
  type SessionEvent,
} from "@stitch/bgp-speaker";
import { milliseconds, type Duration } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { SiteDocument } from "@stitch/config";
import type { HealthReport } from "@stitch/health";
import { expect } from "vitest";
import { Announcer } from "../src/announcer.ts";
import type { CheckObserver } from "../src/check/observer.ts";
import { announcerConfig } from "../src/config.ts";
import { Evidence } from "../src/evidence/evidence.ts";
import { FlapMemory } from "../src/flap-memory.ts";
import { Journal } from "../src/journal.ts";
import type { RouteSession } from "../src/peer.ts";
import { routeHealthOf } from "../src/route-health.ts";
import { SavedDrains } from "../src/saved-drains.ts";
import type { Vip } from "../src/vip.ts";
import { FakeBfd } from "./fake-bfd.ts";

export interface FabricOptions {
  readonly sites: number;
  /** Whether routers tell their announcer of the VIP's best path when it is another site's. */
  readonly exports: boolean;
  /** Whether each announcer is told how to ask the other sites' services. */
  readonly siblings?: boolean;
  /** All sites in one AS; otherwise each has its own. */
  readonly oneAs?: boolean;
}

interface Site {
  readonly asn: number;
  readonly announcer: Announcer;
  readonly observer: CheckObserver;
  heard: readonly Advertisement[];
  onEvent: (event: SessionEvent) => void;
  /** Does not answer its siblings. */
  silent: boolean;
  told: string;
}

function failure({ message }: Error): void {
  expect.fail(message);
}

/** What a router prefers, best first: no GRACEFUL_SHUTDOWN (local preference 0), then the shorter path, then its own. */
type Candidate = { readonly from: number; readonly leaving: boolean; readonly path: ReceivedPath };

/**
 * Several sites, each an announcer and its router; the routers know every site's route and choose as BGP does. A router
 * shows its announcer only its best path, and only when that is not the announcer's own.
 */
export class Fabric {
  readonly clock = new FakeClock();
  readonly sites: Site[] = [];
  /** The fewest sites that have announced the address at any moment since `watchFrom`. */
  fewest = Infinity;
  readonly #options: FabricOptions;
  #dirty = false;

  constructor(options: FabricOptions) {
    this.#options = options;
    for (let n = 0; n < options.sites; n += 1) this.sites.push(this.#site(n));
    for (const site of this.sites) {
      site.announcer.start();
      const up = { kind: "state", from: "OpenConfirm", to: "Established", reason: "established", detail: "" } as const;
      site.onEvent(up);
    }
  }

  /** Every service is well and every site announces. */
  async rise(verdict: "pass" | "degraded" = "pass"): Promise<void> {
    for (let n = 0; n < this.sites.length; n += 1) this.report(n, "serving", verdict);
    for (let i = 0; i < 5; i += 1) {
      for (const { observer } of this.sites) observer.renewed(0);
      await this.run(milliseconds(100));
    }
    this.fewest = Infinity;
    this.#count();
  }

  report(n: number, phase: HealthReport["phase"], verdict: HealthReport["verdict"]): void {
    const site = this.site(n);
    const instance = `site-${n}`;
    site.observer.report({ service: "dns", site: instance, instance, phase, verdict, load: 0, reasons: [] });
  }

  drain(n: number, forced = false): void {
    const { announcer } = this.site(n);
    announcer.drain(announcer.vips, { reason: "CHG-1", forced, lasts: undefined });
  }

  run(time: Duration): Promise<void> {
    return this.clock.run(time);
  }

  site(n: number): Site {
    const site = this.sites[n];
    if (site === undefined) throw new Error(`no site ${n}`);
    return site;
  }

  /** State and what routers hear, of each site. */
  get picture(): string[] {
    return this.sites.map(({ announcer: { vips } }) => vips.map(inWords).join());
  }

  #site(n: number): Site {
    const asn = this.#options.oneAs === true ? 65_100 : 65_101 + n;
    const config = announcerConfig(SiteDocument.parse(this.#yaml(n, asn), "fabric"));
    const site: Partial<Site> = { asn, heard: [], told: "", silent: false };
    const page = (url: URL): Promise<{ status: number; body: string } | undefined> => {
      const asked = Number(url.port) - 8_000;
      const { announcer: sibling, silent } = this.site(asked);
      const identity = { service: "announcer", site: `site-${asked}`, instance: `site-${asked}` };
      const body = JSON.stringify({ routes: routeHealthOf(identity, "dns", sibling) });
      return Promise.resolve(silent ? undefined : { status: 200, body });
    };
    const announcer = new Announcer({
      identity: { service: "announcer", site: `site-${n}`, instance: `site-${n}` },
      config,
      clock: this.clock,
      journal: new Journal(undefined, this.clock, failure),
      savedDrains: new SavedDrains(undefined, failure),
      flaps: new FlapMemory(undefined, this.clock, failure),
      evidence: new Evidence(config.vips, this.clock, page),
      addressIsLocal: () => Promise.resolve(true),
      openCheck: (_vip, observer) => {
        Object.assign(site, { observer });
        return { start: () => undefined, release: () => undefined, stop: () => undefined };
      },
      openBfd: (onChange) => new FakeBfd(onChange),
      openSession: (_peer, _watch, onEvent) => {
        Object.assign(site, { onEvent });
        return this.#session(site as Site);
      },
    });
    return Object.assign(site as Site, { announcer });
  }

  #yaml(n: number, asn: number): string {
    const others = Array.from({ length: this.#options.sites }, (_, i) => i).filter((i) => i !== n);
    const urls = this.#options.siblings === true ? others.map((i) => `"http://192.0.2.1:${8_000 + i}/route/dns"`) : [];
    return `site: site-${n}
announcer:
  asn: ${asn}
  routerId: 192.0.2.${n + 1}
  drain: { time: 1s, max: 5s }
  peers: [ { address: 192.0.2.100, asn: 65000 } ]
  vips:
    - prefix: 10.10.10.53/32
      service: dns
      check: { lease: "http://127.0.0.1:8153" }
      siblings: [ ${urls.join(", ")} ]
`;
  }

  #session(site: Site): RouteSession {
    return {
      start: () => undefined,
      set: (advertisements) => {
        site.heard = advertisements;
        this.#count();
        this.#converge();
      },
      stop: () => Promise.resolve(),
      bfdDown: () => undefined,
      watch: () => undefined,
      get status() {
        const announced = site.heard.map(({ prefix }) => formatPrefix(prefix));
        return { state: "Established", announced } as unknown as RouteSession["status"];
      },
    };
  }

  #count(): void {
    this.fewest = Math.min(this.fewest, this.sites.filter(({ heard }) => heard.length > 0).length);
  }

  /** Routers answer in another turn of the event loop, as a network would. */
  #converge(): void {
    if (this.#dirty) return;
    this.#dirty = true;
    queueMicrotask(() => {
      this.#dirty = false;
      for (const n of this.sites.keys()) this.#tell(n);
    });
  }

  #tell(n: number): void {
    const site = this.site(n);
    const [best] = this.#candidates(n).toSorted((a, b) => rank(a, n) - rank(b, n));
    const path = this.#options.exports && best !== undefined && best.from !== n ? best.path : undefined;
    const told = JSON.stringify(path ?? null);
    if (told === (site.told || "null")) return;
    site.told = told;
    const [vip] = site.announcer.vips;
    if (vip !== undefined) site.onEvent({ kind: "path", prefix: vip.prefix, path });
  }

  #candidates(n: number): Candidate[] {
    return this.sites.flatMap(({ heard: [route], asn }, from) => {
      if (route === undefined) return [];
      const { prefix, communities = [], largeCommunities = [], prepend = 0 } = route;
      const transit = from === n ? [65_000] : [65_000, 65_010 + from];
      const asPath = [...transit, ...Array.from({ length: 1 + prepend }, () => asn)];
      const path = { prefix, asPath, nextHop: "192.0.2.100", communities, largeCommunities } as unknown as ReceivedPath;
      return [{ from, leaving: communities.includes(GRACEFUL_SHUTDOWN), path }];
    });
  }
}

function rank({ from, leaving, path }: Candidate, n: number): number {
  return (leaving ? 1_000 : 0) + path.asPath.length * 10 + (from === n ? 0 : 1);
}

function inWords({ situation: { state }, wish }: Vip): string {
  return `${state.name} ${wish}`;
}
