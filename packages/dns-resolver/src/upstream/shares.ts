/** Questions on their way per route: one dead route must not take the sockets and memory of the others. */
const MOST_PER_ROUTE = 2_000;
/** Of all routes together, however many: an address has no more ports. Further questions come to `no-socket`. */
const MOST_SOCKETS = 65_536;
/** Beside the questions of clients: upstreams that are down are asked for their zone, one question at a time each. */
const SOCKETS_FOR_PROBES = 64;

/**
 * Share of a route's questions that may be for answers that have not expired yet: those can wait, and clients' cannot.
 * Somebody who keeps many short-lived names warm gets no further than this.
 */
export const REFRESH_SHARE = 0.1;
/** Clients that wait for one answer: a flood of one name costs this many small records, no more. */
export const MOST_WAITERS = 64;
/**
 * And for one route: with copies of their queries, up to 2 KiB each, about 10 MB. These stand in blocks of 16 KiB that are
 * freed whole: whoever has a question that is answered at once between any two that are not makes it 64 MB.
 */
export const MOST_WAITING_PER_ROUTE = 4_000;
/**
 * Routes that one answer may lead through: each costs a question, and two zones of a stranger's may lead from one to the
 * other for ever.
 */
export const MOST_CROSSINGS = 8;

/** The share of one worker. */
export function mostPerRoute(workers: number): number {
  return Math.floor(MOST_PER_ROUTE / workers);
}

/** Questions of one route: with many routes each has fewer of the sockets that there are. */
export function sharePerRoute(all: {
  readonly routes: ReadonlyMap<number, unknown>;
  readonly workers: number;
  readonly sockets?: number;
}): number {
  const { routes, sockets = Infinity, workers } = all;
  return Math.max(1, Math.floor(Math.min(mostPerRoute(workers), sockets / Math.max(1, routes.size))));
}

/** Sockets in all, of `sockets` that may be open; a reload may bring more routes, so that their number now is none. */
export function mostSockets(sockets: number = MOST_SOCKETS): number {
  return Math.min(MOST_SOCKETS, sockets + SOCKETS_FOR_PROBES);
}
