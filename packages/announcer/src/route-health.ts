import type { HostPort } from "@stitch/config";
import { boundedServer, type HealthIdentity } from "@stitch/health";
import type { FastifyInstance } from "fastify";
import type { Announcer } from "./announcer.ts";
import type { Wish } from "./decision/machine.ts";
import { listenFor } from "./listen-for.ts";

/** These answers take no body; whoever sends one is no sibling. */
const LARGEST_BODY = 1_024;
/** Connections at once: siblings ask twice a second during a drain. Anybody may connect, and must not take BGP's descriptors. */
const MOST_CONNECTIONS = 64;

/** What the answers are made of. */
type Answers = Pick<Announcer, "vips" | "heard">;

/** What a sibling is told of one VIP. */
export interface RouteHealth {
  readonly service: string;
  readonly site: string;
  readonly instance: string;
  readonly prefix: string;
  readonly wish: Wish;
  /** A router hears it: an established session, or the kernel, has taken this very route. */
  readonly heard: boolean;
}

/**
 * `GET /route/SERVICE` for the siblings: 200 while this site announces the VIP plainly, 503 otherwise. The service's own
 * health would not do: a drained site's service is well, and two sites would each take the other for the one that stays.
 * Read-only: nothing on the network changes an announcement.
 */
export class RouteHealthEndpoint {
  /** Where it listens; the system's choice where 0 was asked for. */
  readonly port: number;
  readonly #app: FastifyInstance;

  /** Rejects with a sentence when the address cannot be bound. */
  static async open(listen: HostPort, identity: HealthIdentity, announcer: Answers): Promise<RouteHealthEndpoint> {
    const app = routes(identity, announcer);
    return new RouteHealthEndpoint(app, await listenFor("announcer.health", app, listen));
  }

  private constructor(app: FastifyInstance, port: number) {
    this.#app = app;
    this.port = port;
  }

  close(): Promise<void> {
    return this.#app.close().then(() => undefined);
  }
}

/** A service with an IPv4 and an IPv6 VIP has a route for each. */
export function routeHealthOf({ site, instance }: HealthIdentity, service: string, announcer: Answers): RouteHealth[] {
  return announcer.vips
    .filter(({ config }) => config.service === service)
    .map((vip) => {
      const { name: prefix, wish } = vip;
      return { service, site, instance, prefix, wish, heard: announcer.heard(vip) };
    });
}

function routes(identity: HealthIdentity, announcer: Answers): FastifyInstance {
  const app = boundedServer({ body: LARGEST_BODY, connections: MOST_CONNECTIONS });
  app.get<{ Params: { service: string } }>("/route/:service", (request, reply) => {
    const { service } = request.params;
    const all = routeHealthOf(identity, service, announcer);
    if (all.length === 0) return reply.code(404).send({ error: "no VIP is called so" });
    const announced = all.every(({ wish, heard }) => wish === "normal" && heard);
    return reply.code(announced ? 200 : 503).send({ routes: all });
  });
  return app;
}
