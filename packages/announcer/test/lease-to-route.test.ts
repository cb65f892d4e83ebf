/** Lease, machine and wish with a real service of @stitch/health in this process and a fake session. */
import { GRACEFUL_SHUTDOWN, type Advertisement, type SessionEvent } from "@stitch/bgp-speaker";
import { SystemClock } from "@stitch/clock";
import { SiteDocument } from "@stitch/config";
import { createLogger, Service, type ProbeResult } from "@stitch/health";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Announcer } from "../src/announcer.ts";
import { openCheck } from "../src/check/open.ts";
import { announcerConfig } from "../src/config.ts";
import { Evidence } from "../src/evidence/evidence.ts";
import { FlapMemory } from "../src/flap-memory.ts";
import { Journal } from "../src/journal.ts";
import { SavedDrains } from "../src/saved-drains.ts";
import { FakeBfd } from "./fake-bfd.ts";

const clock = new SystemClock();
const SOON = { timeout: 8_000, interval: 5 };

let service: Service;
let announcer: Announcer;
let journal: Journal;
let heard: string;
let closed: boolean;
let probe: () => Promise<ProbeResult>;

function startService(port: number): Promise<Service> {
  closed = false;
  return Service.start({
    identity: { service: "dns", site: "nyc", instance: "nyc-1" },
    clock,
    log: createLogger({ service: "dns", site: "nyc", instance: "nyc-1" }, "silent"),
    listenHealth: { address: "127.30.0.3", port },
    start: () =>
      Promise.resolve({
        probe: () => probe(),
        progress: () => 0,
        warm: () => Promise.resolve(),
        close: () => Promise.resolve(void (closed = true)),
      }),
  });
}

function startAnnouncer(): Announcer {
  const text = `site: nyc
announcer:
  asn: 65101
  routerId: 127.30.0.1
  drain: { time: 100ms, max: 400ms }
  peers: [ { address: 127.30.0.2, asn: 65100 } ]
  vips: [ { prefix: 127.30.0.53/32, service: dns, holdDown: 300ms, check: { lease: "http://127.30.0.3:${service.healthPort}" } } ]
`;
  let established: (() => void) | undefined;
  const started = new Announcer({
    identity: { service: "announcer", site: "nyc", instance: "nyc-1" },
    config: announcerConfig(SiteDocument.parse(text, "site.yaml")),
    clock,
    journal,
    savedDrains: new SavedDrains(undefined, (failure) => expect.fail(failure.message)),
    flaps: new FlapMemory(undefined, clock, (failure) => expect.fail(failure.message)),
    evidence: new Evidence([], clock, () => Promise.resolve(undefined)),
    addressIsLocal: () => Promise.resolve(true),
    openCheck: ({ check, fall }, observer) =>
      openCheck(check, observer, { clock, random: Math.random, fall, vips: new Set() }),
    openBfd: (onChange) => new FakeBfd(onChange),
    openSession: (_peer, _watch, onEvent) => {
      const up = { kind: "state", from: "OpenConfirm", to: "Established", reason: "peer-closed", detail: "" };
      established = () => onEvent(up as unknown as SessionEvent);
      return {
        start: () => established?.(),
        set: (all) => void (heard = named(all)),
        watch: () => undefined,
        stop: () => Promise.resolve(),
        bfdDown: () => undefined,
        status: {} as never,
      };
    },
  });
  started.start();
  return started;
}

function named([advertisement]: readonly Advertisement[]): string {
  if (advertisement === undefined) return "nothing";
  return advertisement.communities?.includes(GRACEFUL_SHUTDOWN) === true ? "last resort" : "normal";
}

beforeEach(async () => {
  heard = "nothing";
  probe = () => Promise.resolve({ kind: "answered" });
  journal = new Journal(undefined, clock, (failure) => expect.fail(failure.message));
  service = await startService(0);
  announcer = startAnnouncer();
  await vi.waitFor(() => expect(heard).toBe("normal"), SOON);
}, 20_000);

afterEach(async () => {
  await Promise.all([announcer.stop(), service.stop()]);
}, 20_000);

test("a service that stops is moved away from, withdrawn, let go, and closes only then", async () => {
  const stopped = service.stop();
  await vi.waitFor(() => expect(heard).toBe("last resort"), SOON);
  expect(closed).toBe(false);
  await vi.waitFor(() => expect(heard).toBe("nothing"), SOON);
  expect(closed).toBe(false);
  await stopped;
  expect(closed).toBe(true);
  service = await startService(service.healthPort);
  await vi.waitFor(() => expect(heard).toBe("normal"), SOON);
}, 20_000);

test("a wedged service is withdrawn by its own verdict, and comes back when it answers again", async () => {
  const entries = journal.entries.length;
  probe = () => Promise.resolve({ kind: "silent", detail: "no answer" });
  await vi.waitFor(() => expect(heard).toBe("nothing"), SOON);
  const { lastReport } = announcer.vips[0] ?? {};
  await vi.waitFor(() => expect(service.selfChecks).toBeGreaterThan(15), SOON);
  expect(lastReport?.reasons.map(({ code }) => code)).toEqual(["unresponsive"]);
  expect(journal.entries.length - entries, "a service that stays dead is no news").toBeLessThanOrEqual(2);
  probe = () => Promise.resolve({ kind: "answered" });
  await vi.waitFor(() => expect(heard).toBe("normal"), SOON);
}, 20_000);

test("a lost dependency turns the route into the last resort and back, and never removes it", async () => {
  service.health.raise("upstreams-unreachable", "dependency", "none of 2 answers");
  await vi.waitFor(() => expect(heard).toBe("last resort"), SOON);
  service.health.clear("upstreams-unreachable");
  await vi.waitFor(() => expect(heard).toBe("normal"), SOON);
}, 20_000);

test("operator and service drain together: the undrain does not announce what is leaving", async () => {
  announcer.drain(announcer.vips, { reason: "CHG-1", forced: false, lasts: undefined });
  const stopped = service.stop();
  await vi.waitFor(() => expect(announcer.vips[0]?.lastReport?.phase).toBe("draining"), SOON);
  announcer.undrain(announcer.vips, "done");
  expect(heard).not.toBe("normal");
  await stopped;
  expect(heard).toBe("nothing");
  service = await startService(service.healthPort);
  await vi.waitFor(() => expect(heard).toBe("normal"), SOON);
}, 20_000);
