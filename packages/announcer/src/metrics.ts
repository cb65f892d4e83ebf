import { gaugeFrom } from "@stitch/health";
import { Counter, Gauge, type Registry } from "prom-client";
import type { Announcer } from "./announcer.ts";
import { REASONS, type Reason } from "./decision/reasons.ts";
import type { Journal } from "./journal.ts";
import type { KernelSpeaker } from "./speaker/kernel.ts";

const WISH_VALUE = { none: 0, "last-resort": 1, normal: 2 } as const;

/** What the announcer tells Prometheus. Labels are VIPs and peers from the configuration and the closed set of reasons. */
export function registerAnnouncerMetrics(registry: Registry, announcer: Announcer, journal: Journal): void {
  registry.registerMetric(
    new Gauge({
      name: "stitch_announcer_route",
      help: "What routers hear of a VIP: 2 normal, 1 last resort, 0 nothing",
      labelNames: ["vip"],
      registers: [],
      collect(this: Gauge) {
        this.reset(); // a reload takes VIPs out
        for (const vip of announcer.vips) this.set({ vip: vip.name }, WISH_VALUE[vip.wish]);
      },
    }),
  );
  registry.registerMetric(
    new Gauge({
      name: "stitch_announcer_session_established",
      help: "1 while the BGP session with a peer is established",
      labelNames: ["peer"],
      registers: [],
      collect(this: Gauge) {
        this.reset();
        for (const { config, status } of announcer.peers) {
          this.set({ peer: config.address }, status.state === "Established" ? 1 : 0);
        }
      },
    }),
  );
  registerTimeliness(registry, announcer);
  registry.registerMetric(decisionCounter(journal));
  if (announcer.kernel !== undefined) registerKernelMetrics(registry, announcer.kernel);
}

/** Whether BGP and BFD keep time, and what BFD sees. */
function registerTimeliness(registry: Registry, announcer: Announcer): void {
  const gauge = (name: string, help: string, collect: (gauge: Gauge<"peer">) => void): void =>
    registry.registerMetric(
      new Gauge({
        name,
        help,
        labelNames: ["peer"],
        registers: [],
        collect(this: Gauge<"peer">) {
          this.reset(); // a reload takes peers out
          collect(this);
        },
      }),
    );
  gauge(
    "stitch_announcer_lag_seconds",
    "How late this process ran a timer at the worst since the session began",
    (each) => {
      for (const { config, status } of announcer.peers) each.set({ peer: config.address }, status.lag.worst / 1_000);
    },
  );
  gauge("stitch_announcer_bfd_up", "1 while BFD with a peer is up", (each) => {
    for (const { address, state } of announcer.bfd.report.sessions) each.set({ peer: address }, state === "Up" ? 1 : 0);
  });
  gauge("stitch_announcer_bfd_ups", "How often BFD with a peer has come up", (each) => {
    for (const { address, ups } of announcer.bfd.report.sessions) each.set({ peer: address }, ups);
  });
  registry.registerMetric(
    new Gauge({
      name: "stitch_announcer_bfd_lag_seconds",
      help: "How late the thread of BFD ran a timer at the worst within the last second",
      registers: [],
      collect(this: Gauge) {
        this.reset();
        if (announcer.bfd.wanted) this.set(announcer.bfd.report.lag / 1_000);
      },
    }),
  );
}

/** What the kernel speaker tells Prometheus. */
export function registerKernelMetrics(registry: Registry, kernel: KernelSpeaker): void {
  const gauge = (name: string, help: string, value: () => number): void => gaugeFrom(registry, name, help, value);
  gauge("stitch_announcer_kernel_routes", "Routes of ours in the kernel's main table", () => kernel.asserted.length);
  gauge("stitch_announcer_kernel_working", "1 while the kernel's tables can be read and changed", () =>
    Number(kernel.established),
  );
  gauge("stitch_announcer_kernel_watched", "1 while a watchdog runs", () => Number(kernel.watched));
  const help = "What the kernel speaker had to put right, by reason";
  registry.registerMetric(counterByReason("stitch_announcer_kernel_events_total", help, kernel.counts));
}

function decisionCounter(journal: Journal): Counter {
  const counts = new Map<Reason, number>(REASONS.map((reason) => [reason, 0]));
  journal.onEntry((entry) => {
    if (entry.kind === "decision") counts.set(entry.reason, (counts.get(entry.reason) ?? 0) + 1);
  });
  return counterByReason("stitch_announcer_decisions_total", "Decisions by reason", counts);
}

/** `counts` is read at each scrape. */
function counterByReason(name: string, help: string, counts: ReadonlyMap<string, number>): Counter {
  return new Counter({
    name,
    help,
    labelNames: ["reason"],
    registers: [],
    collect(this: Counter) {
      this.reset();
      for (const [reason, count] of counts) this.inc({ reason }, count);
    },
  });
}
