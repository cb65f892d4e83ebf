import { formatPrefix } from "@stitch/bgp-speaker";
import type { Clock } from "@stitch/clock";
import type { VipConfig } from "../config.ts";
import type { Clients } from "../decision/drain.ts";
import type { Page } from "./page.ts";
import { Siblings } from "./siblings.ts";
import { Traffic } from "./traffic.ts";

/** What is known beyond BGP when a planned withdrawal asks for permission. */
export class Evidence {
  readonly #traffic = new Map<string, Traffic>();
  readonly #siblings = new Map<string, Siblings>();
  readonly #clock: Clock;
  readonly #page: Page;

  constructor(vips: readonly VipConfig[], clock: Clock, page: Page) {
    this.#clock = clock;
    this.#page = page;
    this.configure(vips);
  }

  /** Other VIPs, or other places to ask; what was measured is measured again. */
  configure(vips: readonly VipConfig[]): void {
    this.#traffic.clear();
    this.#siblings.clear();
    for (const { prefix, traffic, siblings } of vips) {
      const vip = formatPrefix(prefix);
      if (traffic !== undefined) this.#traffic.set(vip, new Traffic(traffic, this.#clock, this.#page));
      if (siblings.length > 0) this.#siblings.set(vip, new Siblings(vip, siblings, this.#clock, this.#page));
    }
  }

  clients(vip: string): Clients {
    return this.#traffic.get(vip)?.clients ?? "unknown";
  }

  /** Packets a second that the service counts. */
  rate(vip: string): number | undefined {
    return this.#traffic.get(vip)?.rate;
  }

  /** A sibling that announces the VIP plainly. */
  sibling(vip: string): string | undefined {
    return this.#siblings.get(vip)?.announcing;
  }
}
