import { counterFrom, gaugeFrom, outcomesFrom, type Registry, type WorkerTable } from "@stitch/health";
import { rootDistance, type Synchronised } from "./host-clock/clock-state.ts";
import type { HostClock } from "./host-clock/host-clock.ts";
import { REASONS, type Reason } from "./reasons.ts";
import type { Figure } from "./worker-contract.ts";

export function registerClockMetrics(registry: Registry, hostClock: HostClock): void {
  const gauge = (name: string, help: string, read: (state: Synchronised) => number): void =>
    gaugeFrom(registry, name, help, () => {
      const state = hostClock.state();
      return state.kind === "synchronised" ? read(state) : Number.NaN;
    });
  gaugeFrom(registry, "stitch_ntp_clock_synchronised", "1 while time is served", () =>
    hostClock.state().kind === "synchronised" ? 1 : 0,
  );
  gauge("stitch_ntp_clock_stratum", "Stratum as served", ({ stratum }) => stratum);
  gauge("stitch_ntp_clock_leap", "Leap indicator as served", ({ leap }) => leap);
  gauge("stitch_ntp_clock_root_delay_seconds", "Root delay as served", ({ rootDelay }) => rootDelay);
  gauge("stitch_ntp_clock_root_dispersion_seconds", "Root dispersion as served", (state) => state.rootDispersion);
  gauge("stitch_ntp_clock_root_distance_seconds", "Root delay / 2 + root dispersion", rootDistance);
  gaugeFrom(registry, "stitch_ntp_clock_reading_age_seconds", "Since the source last answered", () =>
    hostClock.readingAge === undefined ? Number.NaN : hostClock.readingAge / 1_000,
  );
  counterFrom(registry, "stitch_ntp_clock_steps_total", "Jumps of the wall clock", () => hostClock.stepCount);
  counterFrom(registry, "stitch_ntp_clock_polls_total", "Questions to the source", () => hostClock.polls);
  counterFrom(
    registry,
    "stitch_ntp_clock_silent_polls_total",
    "Questions without an answer",
    () => hostClock.silentPolls,
  );
}

/** Every number is the sum of the workers'. */
export function registerWorkerMetrics(registry: Registry, table: WorkerTable<Reason, Figure>): void {
  outcomesFrom(registry, "stitch_ntp_requests_total", "Datagrams by what became of them", "reason", REASONS, (code) =>
    table.outcome(code),
  );
  const counter = (name: string, help: string, figure: Figure): void =>
    counterFrom(registry, name, help, () => table.sum(figure));
  counter("stitch_ntp_replies_sent_total", "Replies handed to the system", "repliesSent");
  counter("stitch_ntp_send_failures_total", "Replies that could not be sent", "sendFailures");
  counter("stitch_ntp_batches_total", "Times that datagrams were taken from the kernel", "batches");
  counter("stitch_ntp_full_batches_total", "Of these, with as many as one call may bring", "fullBatches");
  counter("stitch_ntp_kernel_drops_total", "Datagrams that the kernel dropped", "kernelDrops");
  gaugeFrom(registry, "stitch_ntp_receive_buffer_bytes", "Receive buffers as granted", () =>
    table.sum("receiveBuffer"),
  );
}
