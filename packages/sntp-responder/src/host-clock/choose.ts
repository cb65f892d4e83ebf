import type { Clock } from "@stitch/clock";
import { loadNative, readKernelClock, type KernelClock } from "@stitch/linux-io";
import { sameEndpoint, type NtpConfig } from "../config.ts";
import { ChronydSource } from "./chronyd.ts";
import { FirstOf } from "./first-of.ts";
import { KernelSource } from "./kernel.ts";
import { LocalSource } from "./local.ts";
import { NtpDaemonSource } from "./ntp-daemon.ts";
import type { ClockSource } from "./source.ts";

const CHRONYD = { address: "127.0.0.1", port: 323 };
const NTP_DAEMON = { address: "127.0.0.1", port: 123 };

/** The source that `ntp.clock` names. */
export function sourceOf({ clock: setting, listen }: Pick<NtpConfig, "clock" | "listen">, clock: Clock): ClockSource {
  switch (setting.kind) {
    case "chronyd":
      return new ChronydSource(setting.at, clock);
    case "ntp":
      return new NtpDaemonSource(setting.at, clock);
    case "local":
      return new LocalSource(clock);
    case "auto":
      return automatic(listen, clock);
    case "adjtimex":
      return new KernelSource(kernelClock, clock);
  }
}

/** Our own socket is no evidence of the clock's state: it would confirm what we say ourselves. */
function automatic(listen: NtpConfig["listen"], clock: Clock): ClockSource {
  const chronyd = new ChronydSource(CHRONYD, clock);
  const ownPlace = listen.some((own) => sameEndpoint(own, NTP_DAEMON));
  const daemon = ownPlace ? [] : [new NtpDaemonSource(NTP_DAEMON, clock)];
  return new FirstOf([chronyd, ...daemon, new KernelSource(kernelClock, clock)], clock);
}

function kernelClock(): KernelClock | string {
  const loaded = loadNative();
  return loaded.native === undefined ? loaded.why : (readKernelClock() ?? "no addon");
}
