import {
  GRACEFUL_SHUTDOWN,
  formatPrefix,
  pathOrigin,
  type Advertisement,
  type SessionEvent,
} from "@stitch/bgp-speaker";
import { elapsed, milliseconds, seconds, type Duration, type Instant } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { SiteDocument } from "@stitch/config";
import type { HealthReport, Phase, ReasonClass, Verdict } from "@stitch/health";
import { expect } from "vitest";
import { Announcer } from "../src/announcer.ts";
import type { LeaseLoss } from "../src/check/lease.ts";
import type { CheckObserver } from "../src/check/observer.ts";
import { announcerConfig, type AnnouncerConfig } from "../src/config.ts";
import { Evidence } from "../src/evidence/evidence.ts";
import { FlapMemory } from "../src/flap-memory.ts";
import { Journal } from "../src/journal.ts";
import type { RouteSession } from "../src/peer.ts";
import { SavedDrains } from "../src/saved-drains.ts";
import { FakeBfd } from "./fake-bfd.ts";

/** The site of the scenarios; tests of reload change it. */
export const SITE = `site: nyc
instance: nyc-1
announcer:
  asn: 65101
  routerId: 192.0.2.1
  drain: { time: 1s, max: 3s }
  peers:
    - { address: 192.0.2.101, asn: 65001 }
    - { address: 192.0.2.102, asn: 65002 }
  vips:
    - prefix: 10.10.10.53/32
      service: dns
      check: { lease: "http://127.0.0.1:8153" }
      traffic: { metrics: "http://127.0.0.1:8153/metrics", counter: served_total }
      siblings: [ "http://192.0.2.201:8179/route/dns" ]
    - { prefix: 10.10.5.14/32, service: syslog, check: { lease: "http://127.0.0.1:8514" } }
    - { prefix: 10.10.20.1/32, service: web, check: { http: "http://127.0.0.1:9000/health", load: /load } }
`;

const NO_LAG = { last: 0, worst: 0 };
const AGREED = { holdTime: seconds(9), offeredHoldTime: seconds(9) };
const SESSION_STATUS = {
  state: "Idle",
  reason: undefined,
  detail: "",
  announced: [],
  unsendable: [],
  received: { bytes: 0, messages: { open: 1, update: 1, notification: 0, keepalive: 9, "route-refresh": 0 } },
  lag: NO_LAG,
};

/** An announcer with fake sessions and fake checks, driven by the words of a scenario file. */
export class Scenario {
  readonly clock = new FakeClock();
  readonly #journal = new Journal(undefined, this.clock, (failure) => expect.fail(failure.message));
  readonly #config: AnnouncerConfig;
  readonly #observers = new Map<string, CheckObserver>();
  readonly #released = new Set<string>();
  readonly #events: ((event: SessionEvent) => void)[] = [];
  readonly #heard: (readonly Advertisement[])[] = [];
  /** Which sessions are established. */
  readonly #up = new Set<number>();
  /** Everything that was set since the last `mark`, by peer. */
  readonly #told: (readonly Advertisement[])[][] = [];
  /** What the machine says of an address; true for those not named here. */
  readonly #addresses = new Map<string, boolean | undefined>();
  readonly #savedDrains: SavedDrains;
  readonly #flapFile: string | undefined;
  #flaps: FlapMemory;
  /** Packets a second that dns serves, and how many it has served; undefined: its metrics cannot be read. */
  #traffic: { rate: number; total: number; since: Instant } | undefined;
  #sibling: string | undefined;
  #announcer: Announcer;
  #stopped = false;
  /** What sessions and checks were told to do, in order. */
  readonly doings: string[] = [];
  /** Peers whose sessions cannot be opened, as without the addon one with a password. */
  readonly unsettable = new Set<string>();

  /** Files that keep the operators' drains and the memory of falls; without them none survives a restart. */
  constructor(drains?: string, flaps?: string, config = announcerConfig(SiteDocument.parse(SITE, "scenario"))) {
    this.#config = config;
    this.#flapFile = flaps;
    this.#flaps = this.#flapMemory();
    this.#savedDrains = new SavedDrains(drains, (failure) => expect.fail(failure.message));
    this.#announcer = this.#started();
  }

  #started(): Announcer {
    const announcer = new Announcer({
      identity: { service: "announcer", site: "nyc", instance: "nyc-1" },
      config: this.#config,
      clock: this.clock,
      journal: this.#journal,
      savedDrains: this.#savedDrains,
      flaps: this.#flaps,
      evidence: new Evidence(this.#config.vips, this.clock, (url) => Promise.resolve(this.#page(url))),
      addressIsLocal: (address) => Promise.resolve(this.#addresses.has(address) ? this.#addresses.get(address) : true),
      openCheck: ({ service }, observer) => {
        this.#observers.set(service, observer);
        return {
          start: () => void this.doings.push(`check ${service} starts`),
          release: () => void this.#released.add(service),
          stop: () => void this.doings.push(`check ${service} stops`),
        };
      },
      openBfd: (onChange) => new FakeBfd(onChange),
      openSession: ({ address }, _watch, onEvent) => this.#fakeSession(address, onEvent),
    });
    announcer.start();
    return announcer;
  }

  get journal(): Journal {
    return this.#journal;
  }

  get announcer(): Announcer {
    return this.#announcer;
  }

  /** Resolves when nothing is left to be written. */
  async ended(): Promise<void> {
    await this.#savedDrains.written();
    await this.#flaps.written();
  }

  #flapMemory(): FlapMemory {
    return new FlapMemory(this.#flapFile, this.clock, (failure) => expect.fail(failure.message));
  }

  #page(url: URL): { status: number; body: string } | undefined {
    if (url.pathname === "/route/dns")
      return this.#sibling === undefined ? undefined : { status: 503, body: this.#sibling };
    if (this.#traffic === undefined) return undefined;
    return { status: 200, body: `served_total ${Math.round(this.#served(this.#traffic))}` };
  }

  #served({ rate, total, since }: { rate: number; total: number; since: Instant }): number {
    return total + (rate * elapsed(since, this.clock.now())) / 1_000;
  }

  /** Runs one line; throws, through expect, when the line states something that is not so. */
  async run(line: string): Promise<void> {
    const [verb = "", ...words] = line.split(/\s+/);
    const action = this.#verbs[verb];
    if (action === undefined) throw new Error(`no such verb: ${verb}`);
    await action(...words);
    await settled();
  }

  readonly #verbs: Readonly<Record<string, (...words: string[]) => void | Promise<void>>> = {
    peer: (n = "", to = "") => this.#peer(Number(n), to),
    sent: (n = "", service = "") =>
      this.#events[Number(n) - 1]?.({ kind: "update-sent", announced: [this.#vip(service).prefix], withdrawn: [] }),
    path: (n = "", service = "", kind = "") => this.#path(Number(n), service, kind),
    report: (service = "", phase = "", verdict = "", code = "", kind = "dependency") =>
      this.#observer(service).report(report(service, phase as Phase, verdict as Verdict, code, kind as ReasonClass)),
    renew: async (service = "", count = "1") => {
      for (let i = 0; i < Number(count); i += 1) {
        await this.clock.run(milliseconds(100));
        this.#observer(service).renewed(0);
      }
    },
    /** A polled check, every 100 ms. */
    poll: async (service = "", verdict = "", count = "1") => {
      for (let i = 0; i < Number(count); i += 1) {
        await this.clock.run(milliseconds(100));
        this.#observer(service).polled({ verdict: verdict as Verdict, detail: "scenario" });
      }
    },
    /** Load of a polled check, in hundredths. */
    load: (service = "", hundredths = "") =>
      this.#observer(service).polled({ verdict: "pass", detail: "scenario", load: Number(hundredths) / 100 }),
    /** The service's own counter, for dns: packets a second, or `unreadable`. */
    traffic: (rate = "") => {
      const total = this.#traffic === undefined ? 1_000 : this.#served(this.#traffic);
      this.#traffic = rate === "unreadable" ? undefined : { rate: Number(rate), total, since: this.clock.now() };
    },
    /** What the announcer of another site says of dns: a wish and whether a router hears it, or `gone`. */
    sibling: (wish = "", heard = "") => {
      const route = { prefix: this.#vip("dns").name, wish, heard: heard === "heard" };
      this.#sibling = wish === "gone" ? undefined : JSON.stringify({ routes: [route] });
    },
    lost: (service = "", reason = "") => this.#observer(service).lost(reason as LeaseLoss, "scenario"),
    wait: (time = "") => this.clock.run(parseTime(time)),
    drain: (target = "", ...options: string[]) => {
      const lasts = options.find((option) => option.startsWith("for="));
      this.#announcer.drain(this.#announcer.find(target), {
        reason: "CHG-1",
        forced: options.includes("force"),
        lasts: lasts === undefined ? undefined : parseTime(lasts.slice(4)),
      });
    },
    undrain: (target = "") => this.#announcer.undrain(this.#announcer.find(target), "done"),
    address: (service = "", what = "") => {
      const address = this.#vip(service).prefix.address;
      if (what === "present") this.#addresses.delete(address);
      else this.#addresses.set(address, what === "missing" ? false : undefined);
    },
    /** kill -9 of the announcer, and its successor. */
    restart: async () => {
      await this.ended();
      this.#flaps = this.#flapMemory();
      this.#observers.clear();
      this.#events.length = 0;
      this.#up.clear();
      this.#announcer = this.#started();
    },
    stop: () => void this.#announcer.stop().then(() => (this.#stopped = true)),
    expect: (service = "", state = "", wish = "") => {
      const vip = this.#vip(service);
      expect([vip.situation.state.name, vip.wish]).toEqual([state, wish]);
    },
    reason: (service = "", reason = "") => expect(this.#lastReason(service)).toBe(reason),
    heard: (n = "", ...routes: string[]) => expect(this.#routes(Number(n))).toEqual(routes.toSorted()),
    /** What routers hear of the load: step and prepend. */
    burden: (n = "", service = "", step = "", prepend = "") =>
      expect(this.#loadHeard(Number(n), service)).toEqual(
        [step, prepend].map((word) => (word === "none" ? undefined : Number(word))),
      ),
    held: (service = "") => expect(this.#heldEntries(service)).toBeGreaterThan(0),
    released: (service = "", what = "") => expect(this.#released.has(service)).toBe(what === "yes"),
    mark: () => void this.#told.forEach((sets) => sets.splice(0)),
    never: (n = "", route = "") => {
      for (const set of this.#told[Number(n) - 1] ?? []) expect(this.#named(set)).not.toContain(route);
    },
    drained: (service = "", what = "") =>
      expect(this.#announcer.drainOf(this.#vip(service)) !== undefined).toBe(what === "yes"),
    stopped: (what = "") => expect(this.#stopped).toBe(what === "yes"),
  };

  #observer(service: string): CheckObserver {
    const observer = this.#observers.get(service);
    if (observer === undefined) throw new Error(`no such service: ${service}`);
    return observer;
  }

  #vip(service: string): Announcer["vips"][number] {
    const [vip] = this.#announcer.find(service);
    if (vip === undefined) throw new Error(`no such service: ${service}`);
    return vip;
  }

  #fakeSession(address: string, onEvent: (event: SessionEvent) => void): RouteSession {
    if (this.unsettable.has(address)) throw new Error(`peer ${address}: this transport cannot set TCP-MD5`);
    const n = this.#events.push(onEvent) - 1;
    this.#heard[n] = [];
    this.#told[n] = [];
    const status = (): RouteSession["status"] => this.#status(n);
    return {
      start: () => void this.doings.push(`session ${address} starts`),
      set: (advertisements) => {
        this.#heard[n] = advertisements;
        this.#told[n]?.push(advertisements);
      },
      watch: (prefixes) => void this.doings.push(`session ${address} watches ${prefixes.length}`),
      stop: () => {
        this.doings.push(`session ${address} stops`);
        return Promise.resolve();
      },
      bfdDown: () => undefined,
      get status() {
        return status();
      },
    };
  }

  /** As a session that has negotiated IPv4 alone says it. */
  #status(n: number): RouteSession["status"] {
    const sendable = (this.#heard[n] ?? []).filter(({ prefix }) => prefix.family === "ipv4");
    const up = {
      state: "Established",
      ...AGREED,
      announced: sendable.map(({ prefix }) => formatPrefix(prefix)),
    };
    return { ...SESSION_STATUS, ...(this.#up.has(n) ? up : {}) } as unknown as RouteSession["status"];
  }

  #peer(n: number, to: string): void {
    const [from, next] = to === "up" ? (["OpenConfirm", "Established"] as const) : (["Established", "Idle"] as const);
    if (to === "up") this.#up.add(n - 1);
    else this.#up.delete(n - 1);
    const event = { kind: "state", from, to: next, reason: "peer-closed", detail: "" } as unknown as SessionEvent;
    this.#events[n - 1]?.(event);
  }

  #path(n: number, service: string, kind: string): void {
    const { prefix } = this.#vip(service);
    const { instance } = this.#announcer.origin;
    const marks = { echo: [instance], sibling: [{ ...instance, local2: instance.local2 ^ 1 }] };
    const asPath = [65_001, kind.endsWith("echo") || kind === "sibling" ? 65_101 : 65_102];
    const largeCommunities = kind === "echo" || kind === "sibling" ? marks[kind] : [];
    const path = {
      prefix,
      asPath,
      nextHop: "192.0.2.101",
      communities: kind === "leaving" ? [GRACEFUL_SHUTDOWN] : [],
      extendedCommunities: [],
      largeCommunities,
      origin: pathOrigin({ asPath, largeCommunities }, 65_101, instance),
    };
    this.#events[n - 1]?.({ kind: "path", prefix, path: kind === "gone" ? undefined : path });
  }

  #routes(n: number): string[] {
    return this.#named(this.#heard[n - 1] ?? []);
  }

  #named(advertisements: readonly Advertisement[]): string[] {
    const services = new Map(this.#announcer.vips.map(({ config, name }) => [name, config.service]));
    return advertisements
      .map(({ prefix, communities }) => {
        const service = services.get(`${prefix.address}/${prefix.length}`) ?? "?";
        return communities?.includes(GRACEFUL_SHUTDOWN) === true ? `${service}:last-resort` : `${service}:normal`;
      })
      .toSorted();
  }

  #loadHeard(n: number, service: string): unknown {
    const heard = this.#heard[n - 1]?.find(({ prefix }) => prefix.address === this.#vip(service).prefix.address);
    return [heard?.largeCommunities?.find(({ local1 }) => local1 === 2)?.local2, heard?.prepend];
  }

  #lastReason(service: string): string | undefined {
    const decisions = this.#journal.entries.filter((entry) => entry.kind === "decision" && entry.service === service);
    const last = decisions.at(-1);
    return last?.kind === "decision" ? last.reason : undefined;
  }

  #heldEntries(service: string): number {
    const { name } = this.#vip(service);
    return this.#journal.entries.filter((entry) => entry.kind === "held" && entry.vip === name).length;
  }
}

function report(service: string, phase: Phase, verdict: Verdict, code: string, kind: ReasonClass): HealthReport {
  const since = "2026-01-01T00:00:00.000Z";
  const reasons = code === "" ? [] : [{ code, class: kind, since, detail: "scenario" }];
  return { service, site: "nyc", instance: "nyc-1", phase, verdict, load: 0, reasons };
}

function parseTime(text: string): Duration {
  return text.endsWith("ms") ? milliseconds(Number(text.slice(0, -2))) : seconds(Number(text.slice(0, -1)));
}

/** Lets promise callbacks of the announcer run. */
function settled(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
