import type { ServerOptions } from "node:https";
import fastify, { type FastifyInstance, type FastifyReply } from "fastify";

/** Milliseconds for a whole request to arrive: a client that dribbles bytes would hold its connection for ever. */
const REQUEST_TIMEOUT = 5_000;
/** Milliseconds an idle connection is kept; longer than the usual polling interval. */
const KEEP_ALIVE_TIMEOUT = 15_000;

export type SecureServerOptions = ServerOptions;
export type HttpServer = FastifyInstance;
export type HttpReply = FastifyReply;

export interface ServerBounds {
  /** Octets of a request's body. */
  readonly body: number;
  /** Connections at once; more are a leak or an attack, and are not accepted. */
  readonly connections: number;
  /** HTTP by TLS; without it as it is. */
  readonly tls?: SecureServerOptions;
}

/** An HTTP server that anybody may reach: what a client can hold of it is bounded, and so is for how long. */
export function boundedServer({ body, connections, tls }: ServerBounds): HttpServer {
  const bounds = {
    bodyLimit: body,
    requestTimeout: REQUEST_TIMEOUT,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
    forceCloseConnections: true,
  };
  const http = { connectionsCheckingInterval: REQUEST_TIMEOUT };
  // The two differ in the type of their server only, and what is used here of it both have.
  const app =
    tls === undefined
      ? fastify({ ...bounds, http })
      : (fastify({ ...bounds, https: { ...tls, ...http } }) as unknown as HttpServer);
  app.server.maxConnections = connections;
  app.server.headersTimeout = REQUEST_TIMEOUT;
  return app;
}

/**
 * Resolves with the port once the server listens; it is the system's choice where 0 was asked for. Rejects with the
 * system's error, after the server is closed.
 */
export async function listenOn(
  app: HttpServer,
  { address, port }: { readonly address: string; readonly port: number },
): Promise<number> {
  try {
    await app.listen({ host: address, port });
  } catch (failure) {
    await app.close();
    throw failure;
  }
  const bound = app.server.address();
  return bound !== null && typeof bound === "object" ? bound.port : 0;
}
