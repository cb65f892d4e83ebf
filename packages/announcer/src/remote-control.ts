import { createHash, timingSafeEqual } from "node:crypto";
import type { Clock } from "@stitch/clock";
import type { HostPort } from "@stitch/config";
import type { FastifyInstance } from "fastify";
import { Counter, type Registry } from "prom-client";
import { controlRoutes, type ControlSource } from "./control-routes.ts";
import { listenFor } from "./listen-for.ts";
import { GuessLimit } from "./remote-guesses.ts";

/** Connections at once. Anybody may connect, and must not take the descriptors that BGP needs. */
const MOST_CONNECTIONS = 32;

export interface RemoteOptions extends ControlSource {
  readonly listen: HostPort;
  /** Asked at each request: a reload may have brought another. */
  readonly token: () => string | undefined;
  readonly registry: Registry;
  readonly clock: Clock;
}

/**
 * The control socket's door on the network, for who has the token: `Authorization: Bearer TOKEN`. Off unless it is
 * configured. Without the token nothing is told, not even whether a path exists; what is refused is counted and not
 * logged, for a stranger could fill the log.
 */
export class RemoteControl {
  /** Where it listens; the system's choice where 0 was asked for. */
  readonly port: number;
  readonly #app: FastifyInstance;

  /** Rejects with a sentence when the address cannot be bound. */
  static async open(options: RemoteOptions): Promise<RemoteControl> {
    const { listen, token, registry, clock } = options;
    const limit = new GuessLimit(clock);
    const refused = new Counter({
      name: "stitch_announcer_remote_refused_total",
      help: "Requests to the remote control that were refused",
      registers: [registry],
    });
    const app = controlRoutes(options, MOST_CONNECTIONS, "remote");
    // Before the body is read, and before the path is looked at.
    app.addHook("onRequest", async (request, reply) => {
      const exhausted = limit.exhausted(request.ip);
      if (!exhausted && bears(request.headers.authorization, token())) return;
      refused.inc();
      // A stranger keeps no place: the connection ends with the answer.
      reply.header("connection", "close");
      if (exhausted) return reply.code(429).send({ error: "too many tries without the token; come back in a minute" });
      limit.note(request.ip);
      return reply.code(401).header("www-authenticate", "Bearer").send({ error: "this needs the token" });
    });
    return new RemoteControl(app, await listenFor("announcer.remote", app, listen));
  }

  private constructor(app: FastifyInstance, port: number) {
    this.#app = app;
    this.port = port;
  }

  async close(): Promise<void> {
    await this.#app.close();
  }
}

function bears(authorization: string | undefined, token: string | undefined): boolean {
  if (authorization === undefined || token === undefined) return false;
  return timingSafeEqual(digestOf(authorization), digestOf(`Bearer ${token}`));
}

/** Digests are of one length, so that comparing them tells neither the token nor how long it is. */
function digestOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
