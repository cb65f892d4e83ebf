import type { HostPort } from "@stitch/config";
import type { HealthIdentity } from "@stitch/health";
import fastify, { type FastifyInstance } from "fastify";
import type { Announcer } from "./announcer.ts";
import type { Wish } from "./decision/machine.ts";

/** These answers take no body; whoever sends one is no sibling. */
const LARGEST_BODY = 1_024;
/** Connections at once: siblings ask twice a second during a drain. Anybody may connect, and must not take BGP's descriptors. */
const MOST_CONNECTIONS = 64;
/** Milliseconds for a whole request to arrive: a client that dribbles bytes would hold its connection for ever. */
const REQUEST_TIMEOUT = 5_000;

/** What the answers are made of. */
type Answers = Pick<Announcer, "find" | "listeners">;

/** What a sibling is told of one VIP. */
export interface RouteHealth {
  readonly service: string;
  readonly site: string;
  readonly instance: string;
  readonly prefix: string;
  readonly wish: Wish;
  /** A router hears it: a session is established. */
  readonly heard: boolean;
}

/**
 * `GET /route/SERVICE` for the siblings: 200 while this site announces the VIP plainly, 503 otherwise. The service's own
 * health would not do: a drained site's service is well, and two sites would each take the other for the one that stays.
 * Read-only: nothing on the network changes an announcement.
 */
export class RouteHealthEndpoint {
  readonly #app: FastifyInstance;

  /** Rejects with a sentence when the address cannot be bound. */
  static async open(listen: HostPort, identity: HealthIdentity, announcer: Answers): Promise<RouteHealthEndpoint> {
    const app = routes(identity, announcer);
    app.server.maxConnections = MOST_CONNECTIONS;
    app.server.headersTimeout = REQUEST_TIMEOUT;
    try {
      await app.listen({ host: listen.address, port: listen.port });
    } catch (failure) {
      await app.close();
      const { code = String(failure) } = failure as NodeJS.ErrnoException;
      const where = `${listen.address} port ${listen.port}`;
      throw new Error(`announcer.health: cannot listen on ${where} (${code}); choose an address of this machine`, {
        cause: failure,
      });
    }
    return new RouteHealthEndpoint(app);
  }

  private constructor(app: FastifyInstance) {
    this.#app = app;
  }

  /** Where it listens; the port is the system's choice where 0 was asked for. */
  get port(): number {
    const bound = this.#app.server.address();
    return bound !== null && typeof bound === "object" ? bound.port : 0;
  }

  close(): Promise<void> {
    return this.#app.close().then(() => undefined);
  }
}

/** A service with an IPv4 and an IPv6 VIP has a route for each. */
export function routeHealthOf({ site, instance }: HealthIdentity, service: string, announcer: Answers): RouteHealth[] {
  const heard = announcer.listeners > 0;
  return announcer
    .find(service)
    .filter(({ config }) => config.service === service)
    .map(({ name, wish }) => ({ service, site, instance, prefix: name, wish, heard }));
}

function routes(identity: HealthIdentity, announcer: Answers): FastifyInstance {
  const app = fastify({
    bodyLimit: LARGEST_BODY,
    requestTimeout: REQUEST_TIMEOUT,
    forceCloseConnections: true,
    http: { connectionsCheckingInterval: REQUEST_TIMEOUT },
  });
  app.get<{ Params: { service: string } }>("/route/:service", (request, reply) => {
    const { service } = request.params;
    const all = routeHealthOf(identity, service, announcer);
    if (all.length === 0) return reply.code(404).send({ error: "no VIP is called so" });
    const announced = all.every(({ wish, heard }) => wish === "normal" && heard);
    return reply.code(announced ? 200 : 503).send({ routes: all });
  });
  return app;
}
