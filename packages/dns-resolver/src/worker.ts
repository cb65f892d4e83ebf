import { Outcomes, runWorker, type WorkerContext, type WorkerParts } from "@stitch/health";
import { formatEndpoint, preferHugePages } from "@stitch/linux-io";
import { Cache } from "./cache.ts";
import { Explainer } from "./explain.ts";
import { Figures } from "./figures.ts";
import { deadZones } from "./health.ts";
import { randomSeed } from "./random-seed.ts";
import { Resolver } from "./resolver.ts";
import { SavedCache } from "./saved/file.ts";
import type { Served } from "./served.ts";
import { DnsServer } from "./server.ts";
import { QueryLogs } from "./query-logs.ts";
import { ServingBuilder, type Serving } from "./serving.ts";
import { HotCache } from "./sibling/hot-cache.ts";
import { atOnce, sliced } from "./sliced.ts";
import type { LoopOptions } from "./upstream/loop-watch.ts";
import type { Route, Upstream } from "./upstream/upstream.ts";
import { warmUp } from "./warm-up.ts";
import type { Query } from "./wire/query.ts";
import type { DnsWorkers, HotOrder, LoopNews, SocketFacts } from "./worker-contract.ts";

/**
 * A resolver of its own in a thread of its own: sockets, cache, upstreams, sharing nothing on the path of a query but the
 * addresses. Everything that is bounded for the process is shared out among the workers.
 */
async function startWorker(context: WorkerContext<DnsWorkers>): Promise<WorkerParts<DnsWorkers>> {
  const { clock, log, row, settings, tell, workers } = context;
  const identity = `${context.site}/${context.instance}`;
  const seed = randomSeed();
  const builder = new ServingBuilder(clock, workers, seed);
  const serving = atOnce(builder.building(settings.served));
  const size = Math.floor(settings.served.dns.cache.size / workers);
  const cache = cacheOf(size, serving.staleSeconds, seed);
  const wallSeconds = (): number => Math.floor(clock.wallMicros() / 1e6);
  const resolver = new Resolver({ ...serving, wallSeconds, cache, seed, identity });
  const saved = new SavedCache(settings.cacheFile, context.index, cache, clock, log);
  row.set("cacheRestored", await saved.restore(serving, resolver.claims));
  let now = serving;
  const tellDead = (): void => tell({ kind: "dead-zones", zones: deadZones(now.routes.values()) });
  const server = await DnsServer.open({
    listen: settings.listen,
    tls: serving.identity === undefined ? undefined : { listen: settings.listenTls, identity: serving.identity },
    workers,
    clock,
    resolver,
    outcomes: new Outcomes(row.outcomes),
    forwarding: {
      routes: now.routes,
      sockets: settings.sockets,
      ...serving.limits,
      onChange: tellDead,
      loops: loopsOf(context),
    },
    onFailure: (failure) => log.error({ err: failure }, "the socket or a batch failed"),
  });
  const self = `${identity}, worker ${context.index + 1} of ${workers}`;
  const explainer = new Explainer({ resolver, forwarder: server.forwarder, clock, self });
  resolver.explain = (query) => explainer.lines(query);
  await warmUp(identity, seed);
  const hot = new HotCache(cache, clock);
  const queryLogs = new QueryLogs(server, workers, clock, log);
  queryLogs.adopt(serving.queryLog);
  const figures = new Figures({ row, cache, server, queryLogs, index: context.index });
  const adopt = async (served: Served): Promise<void> => {
    now = await sliced(builder.building(served), clock);
    server.adopt(now);
    queryLogs.adopt(now.queryLog);
    tellDead();
    tell({ kind: "adopted" });
  };
  return {
    ready: { sockets: server.sockets.map(factsOf), perRoute: server.forwarder.perRoute },
    publish: () => figures.beat(now.routes.values()),
    hear: (told) =>
      told.kind === "serve" ? void adopt(told.served) : heard(told, { server, hot, resolver, serving: now, context }),
    close: async () => {
      await server.close();
      queryLogs.close();
      saved.save(now);
    },
  };
}

/**
 * The directory is read here and there: in small pages each read would first have to find its page. The slab fills up
 * from one end, and the first touch of a huge page there would stop the worker until all of it is zero: 8 ms every
 * 20,000 new answers (measured on a virtual machine).
 */
function cacheOf(size: number, staleSeconds: number, seed: number): Cache {
  const cache = new Cache({ size, staleSeconds, seed });
  preferHugePages(cache.directoryTable);
  return cache;
}

function factsOf({ local, implementation, lacking, grantedReceiveBuffer }: SocketFacts): SocketFacts {
  return { local, implementation, lacking, grantedReceiveBuffer };
}

function loopsOf({ index, log, settings, tell }: WorkerContext<DnsWorkers>): LoopOptions {
  return {
    key: settings.loopKey,
    asks: index === 0,
    onFound: (upstream, route) => log.warn(loopText(upstream, route)),
    onOther: (token) => tell({ kind: "came-back", token }),
    onVerdict: (upstreams) => tell({ kind: "looping", upstreams }),
  };
}

interface Hearing {
  readonly server: DnsServer;
  readonly hot: HotCache;
  readonly resolver: Resolver;
  readonly serving: Serving;
  readonly context: WorkerContext<DnsWorkers>;
}

function heard(told: HotOrder | LoopNews, hearing: Hearing): void {
  const { loops } = hearing.server.forwarder;
  if (told.kind === "came-back") loops?.cameBack(told.token);
  else if (told.kind === "looping") loops?.leaveOut(told.upstreams);
  else void traded(told, hearing);
}

/** With a sibling. */
async function traded(order: HotOrder, { hot, resolver, serving, context }: Hearing): Promise<void> {
  const { row, tell } = context;
  const { id } = order;
  if (order.kind === "give-hot") {
    const part = await hot.give(serving, order.bounds);
    return tell({ kind: "gave-hot", id, part }, [part.buffer]);
  }
  // A reload may come meanwhile: then what it says about names counts.
  const names = { placeOf: (query: Query) => resolver.claims.placeOf(query) };
  const taken = await hot.take(Buffer.from(order.body), order.age, serving, names);
  row.set("cachePulled", taken.taken);
  tell({ kind: "took-hot", id, taken });
}

/** What, where, and what to do. */
function loopText({ target }: Upstream, { zone }: Route): string {
  return `upstream ${formatEndpoint(target)} of route ${zone} forwards to us what we ask it: it is left out until it no longer does; take this site out of its upstreams, or it out of dns.routes`;
}

await runWorker(startWorker);
