import { milliseconds, SystemClock } from "@stitch/clock";
import { createLogger, runService } from "../../src/index.ts";

// A service of nothing: argv is the health address and how it behaves. Its exit code is what the test looks at.
const [address = "127.0.0.1", port = "0", behaviour = ""] = process.argv.slice(2);
const identity = { service: "demo", site: "test", instance: "test-1" };

process.exit(
  await runService({
    identity,
    clock: new SystemClock(),
    log: createLogger(identity),
    listenHealth: { address, port: Number(port) },
    start: async ({ clock, log }) => {
      if (behaviour === "throws") throw new Error("no such thing");
      if (behaviour === "bind")
        throw Object.assign(new Error("cannot bind udp 127.0.0.1:1: taken"), { name: "BindError" });
      if (behaviour === "slow") {
        log.info("opening");
        await new Promise<void>((resolve) => void clock.after("opening", milliseconds(300), resolve));
      }
      let asked = 0;
      return {
        probe: async () => {
          asked += 1;
          return { kind: "answered" };
        },
        progress: () => asked,
        warm: async () => {},
        close: async () => {},
      };
    },
  }),
);
