import { createSocket } from "node:dgram";
import { milliseconds, SystemClock, type Clock } from "@stitch/clock";
import type { FakeClock } from "@stitch/clock/testing";
import type { HostPort } from "@stitch/config";
import { Health, Outcomes } from "@stitch/health";
import { BindError } from "@stitch/linux-io";
import { afterEach, expect } from "vitest";
import { AllowList } from "../src/allow-list.ts";
import { Cache } from "../src/cache.ts";
import { claimed, claimedTcp } from "../src/claim.ts";
import type { UpstreamAddress } from "../src/upstream-address.ts";
import { deadZones, UpstreamHealth } from "../src/health.ts";
import { builtInZones } from "../src/local/built-in.ts";
import type { LocalZone } from "../src/local/local-zone.ts";
import { arrange } from "../src/places.ts";
import { REASONS, type Reason } from "../src/reasons.ts";
import { Resolver } from "../src/resolver.ts";
import type { TlsIdentity } from "../src/tls/certificates.ts";
import { DnsServer, type DnsServerOptions } from "../src/server.ts";
import type { LoopOptions } from "../src/upstream/loop-watch.ts";
import { NO_COOKIES, NO_LIMIT } from "./fixtures.ts";
import { FakeUpstream, type Script } from "./fake-upstream.ts";

const IDENTITY = { service: "dns", site: "nyc", instance: "nyc-1" };
const open: { close(): Promise<void> }[] = [];

/** Closed after the test. */
export function whenDone(each: { close(): Promise<void> }): void {
  open.push(each);
}

afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

export async function upstream(script: Script): Promise<FakeUpstream> {
  const fake = await FakeUpstream.open("127.88.0.2", script);
  open.push(fake);
  return fake;
}

export interface Rig {
  readonly resolver: Resolver;
  readonly server: DnsServer;
  readonly health: Health;
  readonly port: number;
  count(reason: Reason): number;
  ask(query: Uint8Array): Promise<Buffer>;
}

/** A resolver on loopback whose root route has these upstreams. */
export function rig(
  upstreams: readonly (FakeUpstream | HostPort)[],
  clock: Clock = new SystemClock(),
  source?: string,
): Promise<Rig> {
  return rigOf([{ zone: ".", upstreams, source }], clock);
}

export interface RigRoute {
  readonly zone: string;
  readonly upstreams: readonly (FakeUpstream | UpstreamAddress)[];
  readonly source?: string | undefined;
  readonly critical?: boolean;
  /** `ca` is the text itself. */
  readonly tls?: { readonly ca?: string; readonly pins: string[] };
}

function targetOf(each: FakeUpstream | UpstreamAddress): UpstreamAddress {
  return "address" in each ? each : { address: "127.88.0.2", port: each.port };
}

/** A resolver on loopback with these routes and local zones. */
export async function rigOf(
  wanted: readonly RigRoute[],
  clock: Clock = new SystemClock(),
  zones: readonly LocalZone[] = [],
  identity?: TlsIdentity,
  loops?: LoopOptions,
): Promise<Rig> {
  const outcomes = new Outcomes(new Float64Array(REASONS.length));
  const health = new Health(IDENTITY, clock);
  const routes = wanted.map(({ upstreams, source, ...settings }) => {
    return { ...settings, source, upstreams: upstreams.map(targetOf) };
  });
  const cas = new Map(wanted.flatMap(({ tls }) => (tls?.ca === undefined ? [] : [[tls.ca, tls.ca] as const])));
  const local = { zones: [...builtInZones(), ...zones], hosts: [] };
  const placed = arrange({ routes }, local, clock, undefined, undefined, cas);
  const cache = new Cache({ size: 2 ** 20, staleSeconds: 3_600, seed: 1 });
  const resolver = new Resolver({
    ...placed,
    admin: new AllowList([]),
    allow: new AllowList([]),
    budget: NO_LIMIT,
    cookies: NO_COOKIES,
    wallSeconds: () => 0,
    cache,
    seed: 1,
    identity: "nyc/nyc-1",
  });
  const upstreamHealth = new UpstreamHealth(health);
  const onChange = (): void => upstreamHealth.report(deadZones(placed.routes.values()), 0);
  const server = await openServer(identity, {
    clock,
    resolver,
    outcomes,
    forwarding: {
      routes: placed.routes,
      maxTtl: 3_600,
      negativeTtl: 300,
      onChange,
      ...(loops === undefined ? {} : { loops }),
    },
  });
  const port = server.sockets[0]?.local.port ?? 0;
  const count = (reason: Reason): number => outcomes.counts[REASONS.indexOf(reason)] ?? 0;
  return { resolver, server, health, port, count, ask: (query) => askUdp(port, query) };
}

const ANY_PORT = [{ address: "127.88.0.1", port: 0 }];
/** Between the claim of a port and its use another program may get it, one that asks from every address most likely. */
const PORT_TRIES = 8;

function onFailure(failure: Error): never {
  throw failure;
}

/** A server on ports of its own on loopback, with TLS when there is an identity; closed after the test. */
export async function openServer(
  identity: TlsIdentity | undefined,
  options: Pick<DnsServerOptions, "clock" | "resolver" | "outcomes" | "forwarding">,
): Promise<DnsServer> {
  for (let tries = 1; ; tries += 1) {
    const listen = await claimed(ANY_PORT, new SystemClock());
    const tls = identity && { listen: await claimedTcp(ANY_PORT, new SystemClock()), identity };
    try {
      const server = await DnsServer.open({ ...options, listen, tls, workers: 1, onFailure });
      open.push(server);
      return server;
    } catch (failure) {
      if (!(failure instanceof BindError) || tries === PORT_TRIES) throw failure;
    }
  }
}

/** From a connected socket: its port may have been another program's a moment ago, whose late answers are not ours. */
export function askUdp(port: number, query: Uint8Array): Promise<Buffer> {
  const socket = createSocket("udp4");
  return new Promise((resolve) => {
    socket.on("message", (bytes) => {
      socket.close();
      resolve(bytes);
    });
    socket.on("error", () => {}); // a server that is gone is silence, as it is to a client that is not connected
    socket.connect(port, "127.88.0.1", () => socket.send(query));
  });
}

/** Lets fake time pass until `done`, bounded. */
export async function passing(clock: FakeClock, done: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !done(); i += 1) await clock.run(milliseconds(100));
  expect(done()).toBe(true);
}

/** What comes of `wanted` while fake time passes. */
export async function inTime<T>(clock: FakeClock, wanted: Promise<T>): Promise<T> {
  let done = false;
  void wanted.finally(() => (done = true));
  await passing(clock, () => done);
  return wanted;
}
