import { setTimeout as pause } from "node:timers/promises";
import { SystemClock } from "@stitch/clock";
import {
  experience,
  type LabProcess,
  millisecondsBetween,
  type Nanoseconds,
  probeDns,
  startCapture,
  startProcess,
} from "@stitch/lab";
import { type Namespace, peer } from "@stitch/peers";
import { Cut } from "../../interop/bfd/cut.ts";
import { eventually, SPEAKER } from "../../interop/bgp/wire.ts";
import { CALM, type CaseName, DRAIN_QUERIES, FAULTS } from "./cases.ts";
import { type Contender, ended, type Started } from "./contender.ts";
import { type Network, OTHER, VIP } from "./network.ts";
import { NAME, Site } from "./service.ts";

/** What one fault did to one contender. Times in ms after it. */
export interface Seen {
  readonly fault: CaseName;
  readonly contender: string;
  /** The UPDATE, or the end of TCP, on the wire. */
  readonly told: number | undefined;
  /** The route to the contender out of the router's kernel; undefined: it was still there when the watch ended. */
  readonly gone: number | undefined;
  /** The time of the watch. */
  readonly watched: number;
  readonly queries?: { readonly sent: number; readonly lost: number };
}

/** Starts a contender, strikes it at a phase (0 to 1) of its interval, and tells what was seen; nothing of it is left. */
export async function runCell(network: Network, contender: Contender, fault: CaseName, phase: number): Promise<Seen> {
  const opened: (() => Promise<void>)[] = [];
  try {
    return await seenOf(network, contender, fault, phase, opened);
  } finally {
    for (const close of opened.toReversed()) await close();
    await forgotten(network);
  }
}

async function seenOf(
  network: Network,
  contender: Contender,
  fault: CaseName,
  phase: number,
  opened: (() => Promise<void>)[],
): Promise<Seen> {
  const { wire } = network;
  const cut = new Cut(await peer("nft"), wire);
  const capture = await captureOf(wire.router);
  const captured = once(() => capture.stop());
  opened.push(async () => void (await captured()));
  const started = await contender.start(network);
  opened.push(() => started.stop());
  const clients = fault === "drain" ? await standby(network, opened) : undefined;
  await steady(network, contender, started, 0);
  const asked = await clients?.();
  await steady(network, contender, started, phase);
  const { since, left } = await struck(network, started, fault, cut, opened);
  const queries = await asked?.();
  const told = FAULTS[fault].told?.(await captured(), since);
  return {
    fault,
    contender: contender.name,
    told: told === undefined ? undefined : millisecondsBetween(since, told),
    gone: left === undefined ? undefined : millisecondsBetween(since, left),
    watched: FAULTS[fault].patience,
    ...(queries === undefined ? {} : { queries }),
  };
}

/** Announced, all up, and so it stays until the phase has come: what is struck must not have fallen by itself before. */
async function steady(
  { routes }: Network,
  { name, interval }: Contender,
  started: Started,
  phase: number,
): Promise<void> {
  const announces = () => (routes.via === SPEAKER.address ? true : undefined);
  await eventually(`${name} announces and goes on to`, 120_000, async () => {
    await eventually(`${name} announces`, 60_000, announces);
    await started.ready();
    await pause(CALM + phase * interval);
    return announces();
  });
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return () => (answer ??= work());
}

/** The router may hold a silent host's route for as long as the longest hold time. */
async function forgotten({ routes }: Network): Promise<void> {
  await eventually("the router forgets the VIP", 240_000, () => (routes.via === undefined ? true : undefined));
}

interface Struck {
  readonly since: Nanoseconds;
  readonly left: Nanoseconds | undefined;
}

async function struck(
  { routes }: Network,
  started: Started,
  fault: CaseName,
  cut: Cut,
  opened: (() => Promise<void>)[],
): Promise<Struck> {
  const { strike, patience } = FAULTS[fault];
  const since = await strike(started, async () => {
    const time = process.hrtime.bigint() as Nanoseconds;
    await cut.make();
    opened.push(() => cut.mend());
    return time;
  });
  for (const end = performance.now() + patience; performance.now() < end; await pause(20)) {
    const left = routes.left(SPEAKER.address, since);
    if (left !== undefined) return { since, left };
  }
  return { since, left: undefined };
}

async function captureOf(router: Namespace): ReturnType<typeof startCapture> {
  const tools = { enter: router.enter, tcpdump: await peer("tcpdump"), clock: new SystemClock() };
  return startCapture(tools, "wire0", "tcp port 179");
}

/** A second origin, and once it is known to the router, clients to ask. */
async function standby(network: Network, opened: (() => Promise<void>)[]): Promise<() => ReturnType<typeof ask>> {
  const { wire, other } = network;
  const site = await Site.write(wire, { site: "two", namespace: other, asn: SPEAKER.asn, ...OTHER });
  for (const role of [site.run("dns"), site.run("announcer")]) opened.push(() => ended(role));
  return async () => {
    await eventually("the core knows the second origin", 60_000, async () =>
      (await network.knowsSecondOrigin()) ? true : undefined,
    );
    return ask(network);
  };
}

/** One query each millisecond from now on; answers what came of them when there have been enough. */
async function ask({ client }: Network): Promise<() => Promise<{ sent: number; lost: number }>> {
  const spawn = (_node: string, argv: readonly string[]): LabProcess => startProcess(client.enter(argv), {});
  const probe = await probeDns({ spawn }, client.name, VIP, NAME);
  const began = performance.now();
  return async () => {
    await pause(Math.max(0, began + DRAIN_QUERIES - performance.now()));
    const { sent, lost } = experience(await probe.finish());
    return { sent, lost };
  };
}
