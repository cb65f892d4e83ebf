import { hours, type Clock } from "@stitch/clock";
import { ENDPOINT_BYTES, writeEndpoint, type Arrivals } from "@stitch/linux-io";
import { Collector } from "./collector.ts";
import type { Disk, SegmentFile } from "./store/files.ts";
import { Journal } from "./store/journal.ts";

/**
 * Cold, the first second of a flood costs thousands of datagrams: the code that reads them is still being compiled.
 * So before `serving` every path of decoder, encoder and journal is driven with messages of all layouts, into a
 * journal whose disk keeps nothing.
 */
const SAMPLES = [
  `<34>1 2003-10-11T22:14:15.003Z sw1.example su - ID47 [a@32473 x="1" y="\\"2\\""][b@32473 z="3"] text with Ünicode`,
  "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 app 8710 - - %% It's time",
  "<34>Oct 11 22:14:15 mymachine su[231]: 'su root' failed for lonvick on /dev/pts/8",
  "<189>123: *Mar  1 00:00:01.123: %SYS-5-CONFIG_I: Configured from console by vty0 (192.0.2.7)",
  "<174>15162564: BGP-BETA: 29391555: Mar  1 2026 00:00:01.5 CET: %BGP-5-ADJCHANGE: neighbor 192.0.2.9 Up",
  "<189>: 2026 May  2 10:11:12 UTC: %ETHPORT-5-IF_UP: Interface Ethernet1/1 is up",
  "<166>Mar 01 2026 10:11:12 fw1 : %ASA-6-302013: Built outbound TCP connection 1 for outside:192.0.2.1/443",
  "<13>Nov  2 10:11:12 caf\u0001e app: tab\there",
  "no priority at all",
] as const;
const BATCH = 64;
const SLOT = 512;
/** Batches: 25,600 datagrams, a few tenths of a second. */
export const WARM_BATCHES = 400;

function ignore(): void {}

export async function warmUp(clock: Clock, batches: number = WARM_BATCHES): Promise<void> {
  const events = { onClosed: ignore, onFailure: ignore, onRecovery: ignore };
  const journal = new Journal({ ...events, path: "", clock, disk: nullDisk, firstSequence: 1, sync: hours(1) });
  const collector = new Collector(journal, { matches: () => false, encoded: ignore });
  const arrivals = samples(clock);
  for (let batch = 0; batch < batches; batch += 1) {
    for (let slot = 0; slot < arrivals.count; slot += 1) collector.collect(arrivals, slot);
    await journal.flush();
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  await journal.close(hours(1));
}

function samples(clock: Clock): Arrivals {
  const now = Math.floor(clock.wallMicros() / 1_000_000);
  const arrivals = {
    count: BATCH,
    slotSize: SLOT,
    bytes: new Uint8Array(BATCH * SLOT),
    lengths: new Int32Array(BATCH),
    flags: new Uint8Array(BATCH),
    peers: new Uint8Array(BATCH * ENDPOINT_BYTES),
    locals: new Uint8Array(BATCH * ENDPOINT_BYTES),
    hopLimits: new Uint8Array(BATCH),
    receivedSeconds: new Uint32Array(BATCH).fill(now),
    receivedNanoseconds: new Uint32Array(BATCH).fill(123_456_789),
  };
  for (let slot = 0; slot < BATCH; slot += 1) {
    const text = Buffer.from(SAMPLES[slot % SAMPLES.length] ?? "", slot % 7 === 0 ? "latin1" : "utf8");
    arrivals.bytes.set(text, slot * SLOT);
    arrivals.lengths[slot] = text.length;
    writeEndpoint({ address: `192.0.2.${slot}`, port: 514 }, arrivals.peers, slot * ENDPOINT_BYTES);
    writeEndpoint({ address: "192.0.2.254", port: 514 }, arrivals.locals, slot * ENDPOINT_BYTES);
  }
  return arrivals;
}

const nullFile: SegmentFile = {
  write: (_bytes, _offset, length) => Promise.resolve(length),
  sync: () => Promise.resolve(),
  truncate: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

const nullDisk: Disk = {
  create: () => Promise.resolve(nullFile),
  syncFolder: () => Promise.resolve(),
  freeShare: () => Promise.resolve(1),
};
