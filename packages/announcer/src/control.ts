import { chmodSync, lstatSync, mkdirSync, rmSync, type Stats } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import { duration } from "@stitch/config";
import fastify, { type FastifyInstance, type FastifyReply } from "fastify";
import { z } from "zod";
import type { Announcer } from "./announcer.ts";
import { explain } from "./explain.ts";
import type { Journal } from "./journal.ts";
import type { Change } from "./reload/changes.ts";
import type { AnnouncerStatus } from "./status.ts";
import type { Vip } from "./vip.ts";

/** sockaddr_un holds 108 bytes with the terminator. */
const LONGEST_SOCKET_PATH = 107;
const LARGEST_BODY = 16 * 1_024;
/** Connections at once, watchers included. A script that leaks them must not take the descriptors that BGP needs. */
const MOST_CONNECTIONS = 128;
/** Milliseconds for a whole request to arrive: a client that dribbles bytes would hold its connection for ever. */
const REQUEST_TIMEOUT = 5_000;
/** Watchers of the journal at once; each costs a descriptor. */
const MOST_WATCHERS = 32;
/** A watcher that stops reading is cut off before it costs more than this, in bytes. */
const MOST_UNREAD = 256 * 1_024;

const drainBody = z.strictObject({
  target: z.string().min(1).max(128),
  reason: z.string().max(200).default(""),
  forced: z.boolean().default(false),
  for: duration().optional(),
});
const undrainBody = z.strictObject({ target: z.string().min(1).max(128), reason: z.string().max(200).default("") });

export interface ControlOptions {
  readonly path: string;
  readonly announcer: Announcer;
  readonly journal: Journal;
  readonly status: () => AnnouncerStatus;
  /** Reads the file again. */
  readonly reload: () => Change;
  readonly metrics: () => Promise<{ readonly type: string; readonly text: string }>;
}

/** An error that tells the operator what is wrong with the control socket. */
export class ControlError extends Error {
  override readonly name = "ControlError";
}

/**
 * The operator's door: HTTP over a Unix socket, so that it works with DNS and the network down.
 * Who may open the socket (mode 0660) may drain.
 */
export class ControlSocket {
  readonly #app: FastifyInstance;
  readonly #path: string;

  /** Rejects with ControlError when another announcer holds the socket or the path cannot be used. */
  static async open(options: ControlOptions): Promise<ControlSocket> {
    const { path } = options;
    if (Buffer.byteLength(path) > LONGEST_SOCKET_PATH) {
      throw new ControlError(
        `${path}: longer than a Unix socket's path may be; set announcer.control to a shorter one`,
      );
    }
    await requireFree(path);
    const app = routes(options);
    app.server.maxConnections = MOST_CONNECTIONS;
    app.server.headersTimeout = REQUEST_TIMEOUT;
    try {
      mkdirSync(dirname(path), { recursive: true });
      rmSync(path, { force: true });
      await app.listen({ path });
      chmodSync(path, 0o660);
    } catch (failure) {
      const { code = String(failure) } = failure as NodeJS.ErrnoException;
      throw new ControlError(`${path}: cannot be made (${code}); set announcer.control to a path that can`, {
        cause: failure,
      });
    }
    return new ControlSocket(app, path);
  }

  private constructor(app: FastifyInstance, path: string) {
    this.#app = app;
    this.#path = path;
  }

  async close(): Promise<void> {
    await this.#app.close();
    rmSync(this.#path, { force: true });
  }
}

function routes({ announcer, journal, status, metrics, reload }: ControlOptions): FastifyInstance {
  const app = fastify({
    bodyLimit: LARGEST_BODY,
    requestTimeout: REQUEST_TIMEOUT,
    forceCloseConnections: true,
    http: { connectionsCheckingInterval: REQUEST_TIMEOUT },
  });
  app.get("/status", (_request, reply) => reply.send(status()));
  app.get("/journal", (_request, reply) => reply.send(journal.entries));
  app.get("/metrics", async (_request, reply) => {
    const { type, text } = await metrics();
    return reply.type(type).send(text);
  });
  // A HEAD would hold a place without ever hearing anything.
  app.get("/events", { exposeHeadRoute: false }, (_request, reply) => watch(reply, journal));
  app.get<{ Querystring: { target?: string } }>("/explain", (request, reply) => {
    const vips = announcer.find(request.query.target ?? "all");
    if (vips.length === 0) return unknownTarget(reply, announcer);
    const now = status();
    const explained = vips.map(({ name }) => {
      const vip = now.vips.find(({ prefix }) => prefix === name);
      return vip === undefined ? [] : explain(vip, now, journal.entries);
    });
    return reply.send(explained);
  });
  app.post("/drain", (request, reply) => {
    const body = drainBody.safeParse(request.body);
    if (!body.success) return reply.code(400).send({ error: z.prettifyError(body.error) });
    const { target, reason, forced, for: lasts } = body.data;
    return act(reply, announcer, target, status, (vips) => announcer.drain(vips, { reason, forced, lasts }));
  });
  app.post("/undrain", (request, reply) => {
    const body = undrainBody.safeParse(request.body);
    if (!body.success) return reply.code(400).send({ error: z.prettifyError(body.error) });
    const { target, reason } = body.data;
    return act(reply, announcer, target, status, (vips) => announcer.undrain(vips, reason));
  });
  app.post("/reload", (_request, reply) => {
    const change = reload();
    if (change.kind === "accepted") return reply.send(change);
    return reply.code(409).send({ error: `nothing has been changed: ${change.problems.join("\n")}` });
  });
  return app;
}

function act(
  reply: FastifyReply,
  announcer: Announcer,
  target: string,
  status: () => AnnouncerStatus,
  action: (vips: Vip[]) => void,
): FastifyReply {
  const vips = announcer.find(target);
  if (vips.length === 0) return unknownTarget(reply, announcer);
  action(vips);
  const names = new Set(vips.map(({ name }) => name));
  return reply.send(status().vips.filter(({ prefix }) => names.has(prefix)));
}

function unknownTarget(reply: FastifyReply, announcer: Announcer): FastifyReply {
  const known = announcer.vips.map(({ config }) => config.service).join(", ");
  return reply.code(404).send({ error: `no such VIP; this site has ${known}, or say all` });
}

let watchers = 0;

/** Streams journal entries as they are written, one JSON line each. */
function watch(reply: FastifyReply, journal: Journal): FastifyReply {
  if (watchers >= MOST_WATCHERS) return reply.code(503).send({ error: "too many watchers" });
  const { raw } = reply.hijack();
  if (raw.destroyed) return reply; // left before it was served: its "close" has been, and would free no place
  watchers += 1;
  raw.writeHead(200, { "content-type": "application/x-ndjson" });
  raw.flushHeaders();
  const stop = journal.onEntry((entry) => {
    if (raw.writableLength > MOST_UNREAD) raw.destroy();
    else raw.write(`${JSON.stringify(entry)}\n`);
  });
  raw.on("error", () => raw.destroy());
  raw.on("close", () => {
    watchers -= 1;
    stop();
  });
  return reply;
}

/** Throws ControlError unless nothing is at `path`, or the leftover of a killed announcer, which may be removed. */
async function requireFree(path: string): Promise<void> {
  const found = entryAt(path);
  if (found === undefined) return;
  if (!found.isSocket()) throw new ControlError(`${path}: is not a socket; set announcer.control to another path`);
  const failure = await connectFailure(path);
  if (failure === undefined) throw new ControlError(`${path}: another announcer is running here; stop it first`);
  if (failure === "ECONNREFUSED" || failure === "ENOENT") return;
  throw new ControlError(`${path}: cannot tell whether another announcer runs here (${failure})`);
}

function entryAt(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (failure) {
    throw new ControlError(`${path}: cannot be used (${(failure as NodeJS.ErrnoException).code})`, { cause: failure });
  }
}

/** Why nothing accepts connections at `path`; undefined when something does. */
function connectFailure(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const done = (failure: string | undefined): void => {
      socket.destroy();
      resolve(failure);
    };
    socket.once("connect", () => done(undefined));
    socket.once("error", ({ code = "unknown" }: NodeJS.ErrnoException) => done(code));
  });
}
