import { rmSync } from "node:fs";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, seconds } from "@stitch/clock";
import { clockStepReference, type Peer } from "@stitch/peers";
import type { Capture, Nanoseconds } from "./lab.ts";
import { parsePcap } from "./namespace/pcap.ts";
import { startProcess } from "./namespace/process.ts";
import { until } from "./poll.ts";

export interface CaptureTools {
  /** The command line that runs `argv` in the network to be watched. */
  readonly enter: (argv: readonly string[]) => readonly string[];
  readonly tcpdump: Peer;
  readonly clock: Clock;
}

const LISTENING = seconds(10);

/** Records what passes an interface; resolves once tcpdump listens. */
export async function startCapture(tools: CaptureTools, device: string, filter: string): Promise<Capture> {
  const { enter, tcpdump, clock } = tools;
  const folder = await mkdtemp(join(tmpdir(), "stitch-capture-"));
  const file = join(folder, "packets.pcap");
  const atOnce = ["-U", "--immediate-mode", "--time-stamp-precision=nano"];
  const argv = [tcpdump.program("tcpdump"), "-i", device, "-n", ...atOnce, "-Z", "root", "-w", file, filter];
  const running = startProcess(enter(argv), tcpdump.env);
  await until(clock, `tcpdump on ${device}`, LISTENING, async () =>
    running.complaints().includes("listening on") ? true : undefined,
  ).catch((late: unknown) => {
    running.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
    throw late;
  });
  return {
    stop: async () => {
      running.kill("SIGINT");
      await running.done;
      const offset = clockStepReference();
      const records = parsePcap(await readFile(file));
      rmSync(folder, { recursive: true, force: true });
      return records.map(({ wall, bytes }) => ({ time: (wall - offset) as Nanoseconds, bytes }));
    },
  };
}
