import type { Clock } from "@stitch/clock";
import { sameEndpoint, type NtpConfig } from "../config.ts";
import { ChronydSource } from "./chronyd.ts";
import { FirstOf } from "./first-of.ts";
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
      throw new Error("adjtimex is refused when the configuration is read");
  }
}

/** Our own socket is no evidence of the clock's state: it would confirm what we say ourselves. */
function automatic(listen: NtpConfig["listen"], clock: Clock): ClockSource {
  const chronyd = new ChronydSource(CHRONYD, clock);
  const ownPlace = listen.some((own) => sameEndpoint(own, NTP_DAEMON));
  return new FirstOf(ownPlace ? [chronyd] : [chronyd, new NtpDaemonSource(NTP_DAEMON, clock)], clock);
}
