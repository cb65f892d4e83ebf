import type { Registry } from "prom-client";
import { boundedServer, listenOn, type HttpServer } from "./bounded-server.ts";
import type { Health } from "./health.ts";
import type { LeaseStream } from "./lease.ts";

/** These endpoints take no body; whoever sends one is not a health check. */
const LARGEST_BODY = 1_024;
/** Connections at once: sixteen holders, pollers, scrapers. More is a leak or an attack, and is not accepted. */
const MOST_CONNECTIONS = 128;

export interface HealthEndpointOptions {
  readonly health: Health;
  readonly lease: LeaseStream;
  readonly registry: Registry;
  readonly listen: { readonly address: string; readonly port: number };
  /** Adds paths of the role's own; called once, before the endpoint listens. */
  readonly paths?: ((app: HttpServer) => void) | undefined;
}

/** The health endpoint's address cannot be bound: the operator's to mend. */
export class HealthBindError extends Error {
  override readonly name = "BindError";
  readonly code: string;

  constructor(listen: HealthEndpointOptions["listen"], cause: NodeJS.ErrnoException) {
    const code = cause.code ?? "unknown";
    const where = formatEndpointText(listen.address, listen.port);
    super(`cannot bind the health endpoint on tcp ${where}: ${advice(code)}`, { cause });
    this.code = code;
  }
}

function advice(code: string): string {
  if (code === "EADDRINUSE") return "another program holds it; stop that one or choose another `health` address";
  if (code === "EADDRNOTAVAIL") return "the address is not on this machine; choose another `health` address";
  return `the system says ${code}`;
}

/** `GET /health`, `/livez`, `/metrics`, `/health/lease` of one service, and the paths of its role. */
export class HealthEndpoint {
  readonly port: number;
  readonly #app: HttpServer;
  readonly #lease: LeaseStream;

  /** Resolves once listening; rejects with a HealthBindError. */
  static async open(options: HealthEndpointOptions): Promise<HealthEndpoint> {
    const { listen } = options;
    const app = routes(options);
    const port = await listenOn(app, listen).catch((failure: unknown) => {
      throw new HealthBindError(listen, failure as NodeJS.ErrnoException);
    });
    return new HealthEndpoint(app, options.lease, port);
  }

  private constructor(app: HttpServer, lease: LeaseStream, port: number) {
    this.#app = app;
    this.#lease = lease;
    this.port = port;
  }

  async close(): Promise<void> {
    this.#lease.close();
    await this.#app.close();
  }
}

function routes({ health, lease, registry, paths }: HealthEndpointOptions): HttpServer {
  const app = boundedServer({ body: LARGEST_BODY, connections: MOST_CONNECTIONS });
  app.get("/health", (_request, reply) => {
    const { report } = health;
    const serving = report.phase === "serving" && report.verdict !== "fail";
    return reply.code(serving ? 200 : 503).send(report);
  });
  app.get("/livez", (_request, reply) => reply.send({ alive: true }));
  app.get("/metrics", async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()));
  // A HEAD would hold a place without ever hearing anything.
  app.get("/health/lease", { exposeHeadRoute: false }, (_request, reply) => {
    if (lease.hold(reply.raw)) reply.hijack();
    else void reply.code(503).send({ error: "no place for another lease holder" });
  });
  paths?.(app);
  return app;
}

/** `127.0.0.1:8153`, `[::1]:8153`. */
export function formatEndpointText(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
