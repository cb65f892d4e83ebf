import { BgpListener, formatPrefix, GRACEFUL_SHUTDOWN, TcpTransport, type SessionEvent } from "@stitch/bgp-speaker";
import { seconds, type Clock } from "@stitch/clock";
import { LOOPBACK, MONITOR_ASN } from "./site.ts";

/** Routes that the monitor of one site has any business showing. */
const MOST_ROUTES = 1_000;

/**
 * A BGP peer in place of a router: it listens, accepts the announcer's session and tells what it hears. Announcements
 * become visible with no router at hand.
 */
export class RouteMonitor {
  readonly #listener: BgpListener;

  constructor(clock: Clock, random: () => number, print: (text: string) => void) {
    this.#listener = new BgpListener({
      local: { asn: MONITOR_ASN, routerId: LOOPBACK.monitor.address },
      clock,
      transport: new TcpTransport(),
      random,
      peers: "any",
      holdTime: seconds(9),
      watchAll: MOST_ROUTES,
      onEvent: (event, session) => {
        const text = heard(event, session.status.remoteAsn);
        if (text !== undefined) print(text);
      },
    });
  }

  /** Rejects with the system's error when its address cannot be bound. */
  async start(): Promise<void> {
    await this.#listener.listen(LOOPBACK.monitor.address, LOOPBACK.monitor.port);
  }

  close(): Promise<void> {
    return this.#listener.close("the route monitor is stopping");
  }
}

function heard(event: SessionEvent, asn: number | undefined): string | undefined {
  if (event.kind === "path") {
    const prefix = formatPrefix(event.prefix);
    if (event.path === undefined) return `- ${prefix}  withdrawn`;
    const lastResort = event.path.communities.includes(GRACEFUL_SHUTDOWN) ? "  last resort (GRACEFUL_SHUTDOWN)" : "";
    return `+ ${prefix}  announced, AS path ${event.path.asPath.join(" ")}${lastResort}`;
  }
  if (event.kind !== "state") return undefined;
  if (event.to === "Established") return `session with AS ${asn ?? "?"} established`;
  return event.from === "Established" ? `session lost (${event.reason}): all its routes are gone` : undefined;
}
