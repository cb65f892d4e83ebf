import { type CapturedPacket, type Nanoseconds, sourceOf, updatesIn } from "@stitch/lab";

/** An UPDATE without a route is the mark of the end (RFC 4724 section 2). */
const END_OF_RIB = 23;

/**
 * When the first UPDATE at or after `since` left `source` that says something else than its last one before: a speaker may
 * say the same again and again.
 */
export function changedUpdate(
  packets: readonly CapturedPacket[],
  source: string,
  since: Nanoseconds,
): Nanoseconds | undefined {
  let known = "";
  for (const { time, bytes } of packets) {
    if (sourceOf(bytes) !== source) continue;
    for (const update of updatesIn(bytes)) {
      if (update.length === END_OF_RIB) continue;
      const said = Buffer.from(update).toString("latin1");
      if (time >= since && said !== known) return time;
      known = said;
    }
  }
  return undefined;
}
