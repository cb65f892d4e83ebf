import type { Packet } from "dns-packet";
import { Cache } from "../src/cache.ts";
import { encodeRequest, inOwnCase, readAnswer } from "../src/upstream/exchange.ts";
import type { Asking, Exchange, Request } from "../src/upstream/exchange.ts";
import type { Names, Outcome, Waiter } from "../src/upstream/flight.ts";
import { Forwarder, type ForwarderOptions } from "../src/upstream/forwarder.ts";
import type { StreamResult } from "../src/upstream/stream.ts";
import type { Transport } from "../src/upstream/transport.ts";
import { Upstream, type Route } from "../src/upstream/upstream.ts";
import { parseName } from "../src/wire/name.ts";
import type { FakeClock } from "@stitch/clock/testing";
import { respond } from "./fake-upstream.ts";
import { LOOPBACK, NO_NAMES, queryFor, view, type QueryOptions } from "./fixtures.ts";
import { whenDone } from "./rig.ts";

/** A question that has been put and waits. */
export interface Held {
  readonly request: Request;
  /** It has been given up. */
  ended: boolean;
  answer(fields?: Partial<Packet>): void;
  end(exchange: Exchange): void;
}

/** Upstreams without a network, which answer when told; thousands of questions may wait and take no socket. */
class HeldTransport implements Transport {
  readonly held: Held[] = [];
  /** What is answered over TCP. */
  overTcp: Exchange = { kind: "timeout" };

  udp(request: Request): Asking {
    const { promise: result, resolve } = Promise.withResolvers<Exchange>();
    const query = Buffer.from(encodeRequest(request, request.question));
    const held: Held = {
      request,
      ended: false,
      answer: (fields) =>
        resolve(inOwnCase(readAnswer(Uint8Array.from(respond(query, fields)), request), request.question)),
      end: resolve,
    };
    this.held.push(held);
    const end = (): void => {
      held.ended = true;
      resolve({ kind: "timeout" });
    };
    return { result, end };
  }

  stream(): Asking<StreamResult> {
    return { result: Promise.resolve({ exchange: this.overTcp, caseChanged: false }), end: () => {} };
  }

  tidy(): void {}

  async close(): Promise<void> {}
}

export interface Forwarding {
  readonly forwarder: Forwarder;
  readonly transport: HeldTransport;
  readonly cache: Cache;
  readonly routes: readonly Route[];
  readonly outcomes: Outcome[];
  /** As a client of the route. */
  ask(name: string, route?: number, options?: QueryOptions): void;
  refresh(name: string): void;
}

interface ForwardingOptions extends Partial<Pick<ForwarderOptions, "workers" | "sockets">> {
  readonly zones?: readonly string[];
  readonly upstreams?: number;
  readonly names?: Names;
}

/** A forwarder for these zones, numbered from 0, whose upstreams wait to be told. */
export function forwarding(
  clock: FakeClock,
  { zones = ["."], upstreams = 1, names = NO_NAMES, workers = 1, sockets }: ForwardingOptions = {},
): Forwarding {
  const routes = zones.map((zone, i): Route => {
    const servers = Array.from({ length: upstreams }, (_, j) => {
      return new Upstream({ address: `192.0.2.${10 * i + j}`, port: 53 }, undefined, clock);
    });
    return { zone, name: parseName(zone) ?? Uint8Array.of(0), upstreams: servers, inFlight: 0, waiting: 0 };
  });
  const transport = new HeldTransport();
  const outcomes: Outcome[] = [];
  const cache = new Cache({ size: 2 ** 20, staleSeconds: 0, seed: 1 });
  const forwarder = new Forwarder({
    workers,
    clock,
    cache,
    names,
    transport,
    ...(sockets === undefined ? {} : { sockets }),
    routes: new Map(routes.entries()),
    maxTtl: 3_600,
    negativeTtl: 60,
    deliver: (_, outcome) => void outcomes.push(outcome),
    onChange: () => {},
  });
  whenDone(forwarder);
  const waiter: Waiter = { query: queryFor("x"), peer: LOOPBACK, tcp: false, reply: () => {} };
  return {
    forwarder,
    transport,
    cache,
    routes,
    outcomes,
    ask: (name, route = 0, options = {}) => forwarder.ask(view(queryFor(name, options)), route, route << 2, waiter),
    refresh: (name) => forwarder.refresh(view(queryFor(name)), 0, 0),
  };
}

/** Lets promises that are settled have their say. */
export function settled(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
