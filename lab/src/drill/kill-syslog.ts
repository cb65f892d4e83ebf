import { type Drill, tenths, unless } from "./drill.ts";
import { accountFor, MESSAGES, startStream } from "./log-stream.ts";
import { NYC } from "./plan.ts";
import { settled } from "./settled.ts";

export const killSyslog: Drill = {
  name: "kill-syslog",
  variants: ["anycast", "ospf"],
  intent: `kill -9 of New York's collector while a client logs ${MESSAGES} numbered messages: where each of them ended`,
  async run({ lab, clock }) {
    await settled(lab, clock);
    const run = `kill${lab.now() % 1_000_000n}`;
    const stream = await startStream(lab, "branch", run);
    await lab.signal(NYC.host, ["syslog"], "SIGKILL");
    const account = await accountFor(lab, clock, run, await stream.done());
    const [nyc, lon] = [account.storedAt["nyc"] ?? 0, account.storedAt["lon"] ?? 0];
    const row = {
      sent: account.sent,
      "stored at nyc": nyc,
      "stored at lon": lon,
      lost: account.lost,
      duplicated: account.duplicated,
      "hole ms": tenths(account.holeMs),
    };
    const figures = {
      log_sent: account.sent,
      log_nyc: nyc,
      log_lon: lon,
      log_lost: account.lost,
      log_duplicated: account.duplicated,
    };
    const failures = [
      ...unless(account.sent === MESSAGES, `${account.sent} of ${MESSAGES} messages were sent`),
      ...unless(nyc + lon - account.duplicated + account.lost === account.sent, "the account does not add up"),
      ...unless(lon > 0, "London stored nothing: the stream never moved"),
    ];
    return { rows: [row], figures, failures };
  },
};
