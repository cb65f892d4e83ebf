import { milliseconds, type Duration } from "@stitch/clock";
import { extendedError } from "../extended-error.ts";
import type { Message } from "../wire/message.ts";
import { EDE } from "../wire/registry.ts";
import type { About, Asker } from "./asker.ts";
import type { Digest } from "./digest.ts";
import type { Exchange } from "./exchange.ts";
import { allDown, pick, type Route, type Upstream } from "./upstream.ts";

/** How long each attempt waits, in order; with TCP after them still below the 5 s that clients wait. */
const ATTEMPT_LIMITS: readonly Duration[] = [milliseconds(600), milliseconds(1_000), milliseconds(1_400)];

export type Found = Exclude<Digest, { kind: "useless" }>;
/** `ours`: for want of something in this machine, which says nothing about the question. */
export interface NotFound {
  readonly kind: "not-found";
  readonly extended: Uint8Array;
  readonly ours: boolean;
}

export interface Pursuit {
  readonly asker: Asker;
  readonly route: Route;
  readonly about: About;
  readonly read: (message: Message) => Digest;
  readonly isClosed: () => boolean;
}

/** Asks the upstreams of a route, one after the other, until one has an answer. */
export async function pursue({ asker, route, about, read, isClosed }: Pursuit): Promise<Found | NotFound> {
  const tried: Upstream[] = [];
  let why = "every upstream of this route is down";
  let code: number = EDE.NO_REACHABLE_AUTHORITY;
  let ours = false;
  for (const limit of ATTEMPT_LIMITS) {
    const upstream = pick(route, tried);
    if (upstream === undefined || isClosed()) break;
    const again = tried.includes(upstream);
    tried.push(upstream);
    const result = await asker.ask(about, upstream, limit, again ? "again" : "question");
    const found = result.kind === "answer" ? read(result.message) : useless(result.kind);
    if (found.kind !== "useless") return found;
    if (result.kind === "answer") asker.counters.useless += 1;
    why = `${upstream.target.address} ${found.why}`;
    ours = result.kind === "no-socket";
    code = result.kind === "unreachable" ? EDE.NETWORK_ERROR : EDE.NO_REACHABLE_AUTHORITY;
    if (allDown(route)) break;
  }
  return { kind: "not-found", extended: extendedError(code, why), ours: ours || isClosed() };
}

function useless(kind: Exclude<Exchange["kind"], "answer">): Extract<Digest, { kind: "useless" }> {
  return { kind: "useless", why: WHY[kind] };
}

const WHY = {
  truncated: "truncated its answer over TCP",
  malformed: "sent an answer that cannot be read",
  "case-changed": "changed the case of the name",
  "near-misses": "sent what was no answer",
  timeout: "did not answer in time",
  unreachable: "cannot be reached",
  "no-socket": "could not be asked: this machine has no socket left",
} as const;
