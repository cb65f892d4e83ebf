import { duration } from "@stitch/config";
import { boundedServer, type SecureServerOptions } from "@stitch/health";
import type { FastifyInstance, FastifyReply } from "fastify";
import { z } from "zod";
import type { Announcer } from "./announcer.ts";
import { explainPeer } from "./explain-peer.ts";
import { explain } from "./explain.ts";
import type { Journal } from "./journal.ts";
import type { Change } from "./reload/changes.ts";
import type { AnnouncerStatus } from "./status.ts";
import type { Vip } from "./vip.ts";

const LARGEST_BODY = 16 * 1_024;
/** Watchers of the journal at once, at each door; each costs a descriptor. */
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

/** What the control socket, and a remote control, are made of. */
export interface ControlSource {
  readonly announcer: Announcer;
  readonly journal: Journal;
  readonly status: () => AnnouncerStatus;
  /** Reads the file again. */
  readonly reload: () => Change;
  readonly metrics: () => Promise<{ readonly type: string; readonly text: string }>;
}

export interface Door {
  /** For the journal: who came over the network is told apart. */
  readonly via?: "remote";
  readonly tls?: SecureServerOptions;
}

/** Everything that an operator may ask and do. */
export function controlRoutes(
  { announcer, journal, status, metrics, reload }: ControlSource,
  connections: number,
  { via, tls }: Door = {},
): FastifyInstance {
  const app = boundedServer({ body: LARGEST_BODY, connections, ...(tls === undefined ? {} : { tls }) });
  const watchers = new Set<FastifyReply>();
  app.get("/status", (_request, reply) => reply.send(status()));
  app.get("/journal", (_request, reply) => reply.send(journal.entries));
  app.get("/metrics", async (_request, reply) => {
    const { type, text } = await metrics();
    return reply.type(type).send(text);
  });
  // A HEAD would hold a place without ever hearing anything.
  app.get("/events", { exposeHeadRoute: false }, (_request, reply) => watch(reply, journal, watchers));
  app.get<{ Querystring: { target?: string } }>("/explain", (request, reply) => {
    const { target = "all" } = request.query;
    const now = status();
    const named = new Set(announcer.find(target).map(({ name }) => name));
    const vips = now.vips.filter(({ prefix }) => named.has(prefix)).map((vip) => explain(vip, now, journal.entries));
    const peers = now.peers
      .filter(({ address }) => address === target)
      .map((peer) => explainPeer(peer, now, journal.entries));
    if (vips.length + peers.length === 0) return unknownTarget(reply, announcer);
    return reply.send([...vips, ...peers]);
  });
  app.post("/drain", (request, reply) => {
    const body = drainBody.safeParse(request.body);
    if (!body.success) return reply.code(400).send({ error: z.prettifyError(body.error) });
    const { target, reason, forced, for: lasts } = body.data;
    return act(reply, announcer, target, status, (vips) => announcer.drain(vips, { reason, forced, lasts }, via));
  });
  app.post("/undrain", (request, reply) => {
    const body = undrainBody.safeParse(request.body);
    if (!body.success) return reply.code(400).send({ error: z.prettifyError(body.error) });
    const { target, reason } = body.data;
    return act(reply, announcer, target, status, (vips) => announcer.undrain(vips, reason, via));
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

/** Streams journal entries as they are written, one JSON line each. Who fills the places of one door leaves those of another. */
function watch(reply: FastifyReply, journal: Journal, watchers: Set<FastifyReply>): FastifyReply {
  if (watchers.size >= MOST_WATCHERS) return reply.code(503).send({ error: "too many watchers" });
  const { raw } = reply.hijack();
  if (raw.destroyed) return reply; // left before it was served: its "close" has been, and would free no place
  watchers.add(reply);
  raw.writeHead(200, { "content-type": "application/x-ndjson" });
  raw.flushHeaders();
  const stop = journal.onEntry((entry) => {
    if (raw.writableLength > MOST_UNREAD) raw.destroy();
    else raw.write(`${JSON.stringify(entry)}\n`);
  });
  raw.on("error", () => raw.destroy());
  raw.on("close", () => {
    watchers.delete(reply);
    stop();
  });
  return reply;
}
