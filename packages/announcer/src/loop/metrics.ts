import { Gauge, type Registry } from "prom-client";
import type { Alarms } from "./alarms.ts";
import { ALARMS } from "./reasons.ts";

export function registerAlarmMetrics(registry: Registry, alarms: Alarms): void {
  registry.registerMetric(
    new Gauge({
      name: "stitch_announcer_alarms",
      help: "Alarms that ring, by what they are about",
      labelNames: ["alarm"],
      registers: [],
      collect(this: Gauge) {
        for (const alarm of ALARMS) {
          this.set({ alarm }, alarms.ringing.filter(({ code }) => code === alarm).length);
        }
      },
    }),
  );
}
