import { createHash, timingSafeEqual } from "node:crypto";
import type { Server } from "node:https";
import type { Socket } from "node:net";
import { seconds, type Clock, type Duration } from "@stitch/clock";
import type { HostPort } from "@stitch/config";
import type { SecureServerOptions } from "@stitch/health";
import type { FastifyInstance } from "fastify";
import { Counter, type Registry } from "prom-client";
import type { TlsKeys } from "./config/remote-tls.ts";
import type { RemoteKeys } from "./config/remote.ts";
import { controlRoutes, type ControlSource } from "./control-routes.ts";
import { listenFor } from "./listen-for.ts";
import { GuessLimit } from "./remote-guesses.ts";

/** Connections at once. Anybody may connect, and must not take the descriptors that BGP needs. */
const MOST_CONNECTIONS = 32;
/** Milliseconds for a handshake: who never finishes one would hold a connection as long as it likes. */
const HANDSHAKE_LIMIT = 5_000;
/** After a reload with other certificates; whoever asked for it has its answer by then. */
const LAST_WORD: Duration = seconds(1);

export interface RemoteOptions extends ControlSource {
  readonly listen: HostPort;
  readonly keys: RemoteKeys;
  readonly registry: Registry;
  readonly clock: Clock;
}

/**
 * The control socket's door on the network, for who has the token (`Authorization: Bearer TOKEN`), a certificate of the
 * clients' CA, or both, as it is configured; off unless it is. Without them nothing is told, not even whether a path
 * exists; what is refused is counted and not logged, for a stranger could fill the log.
 */
export class RemoteControl {
  /** Where it listens; the system's choice where 0 was asked for. */
  readonly port: number;
  readonly #app: FastifyInstance;
  readonly #clock: Clock;
  readonly #connections: ReadonlySet<Socket>;
  readonly #keys: { now: RemoteKeys };

  /** Rejects with a sentence when the address cannot be bound. */
  static async open(options: RemoteOptions): Promise<RemoteControl> {
    const { listen, registry, clock } = options;
    const keys = { now: options.keys };
    const { tls } = keys.now;
    const app = controlRoutes(options, MOST_CONNECTIONS, {
      via: "remote",
      ...(tls === undefined ? {} : { tls: secure(tls) }),
    });
    guard(app, keys, registry, clock);
    const connections = connectionsOf(app);
    return new RemoteControl(app, await listenFor("announcer.remote", app, listen), clock, connections, keys);
  }

  private constructor(
    app: FastifyInstance,
    port: number,
    clock: Clock,
    connections: ReadonlySet<Socket>,
    keys: { now: RemoteKeys },
  ) {
    this.#app = app;
    this.port = port;
    this.#clock = clock;
    this.#connections = connections;
    this.#keys = keys;
  }

  /**
   * Other contents of the same files, after a reload. A certificate is looked at once for each connection, so those that
   * were made with the old ones end: a CA that is taken away is taken away now. (Tickets of theirs are of no use to the
   * new context.)
   */
  renew(keys: RemoteKeys): void {
    const { tls } = this.#keys.now;
    this.#keys.now = keys;
    if (keys.tls === undefined || JSON.stringify(keys.tls) === JSON.stringify(tls)) return;
    (this.#app.server as unknown as Server).setSecureContext(secure(keys.tls));
    const before = [...this.#connections];
    this.#clock.after("remote-renewed", LAST_WORD, () => {
      for (const socket of before) socket.destroy();
    });
  }

  async close(): Promise<void> {
    await this.#app.close();
  }
}

/** Before the body is read, and before the path is looked at. */
function guard(app: FastifyInstance, keys: { readonly now: RemoteKeys }, registry: Registry, clock: Clock): void {
  const limit = new GuessLimit(clock);
  const refused = new Counter({
    name: "stitch_announcer_remote_refused_total",
    help: "Requests and TLS handshakes to the remote control that were refused",
    registers: [registry],
  });
  app.server.on("tlsClientError", () => refused.inc());
  app.addHook("onRequest", async (request, reply) => {
    const { token, tls } = keys.now;
    const exhausted = limit.exhausted(request.ip);
    // Where there is no token, TLS has asked for a certificate.
    if (token === undefined ? tls?.clientCa !== undefined : !exhausted && bears(request.headers.authorization, token))
      return;
    refused.inc();
    // A stranger keeps no place: the connection ends with the answer.
    reply.header("connection", "close");
    if (exhausted) return reply.code(429).send({ error: "too many tries without the token; come back in a minute" });
    limit.note(request.ip);
    return reply.code(401).header("www-authenticate", "Bearer").send({ error: "this needs the token" });
  });
}

function secure({ cert, key, clientCa }: TlsKeys): SecureServerOptions {
  const clients = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true };
  return { cert, key, ...clients, handshakeTimeout: HANDSHAKE_LIMIT };
}

function connectionsOf(app: FastifyInstance): ReadonlySet<Socket> {
  const connections = new Set<Socket>();
  app.server.on("connection", (socket: Socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  });
  return connections;
}

function bears(authorization: string | undefined, token: string): boolean {
  return authorization !== undefined && timingSafeEqual(digestOf(authorization), digestOf(`Bearer ${token}`));
}

/** Digests are of one length, so that comparing them tells neither the token nor how long it is. */
function digestOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
