/** One record of a capture file. */
export interface PcapRecord {
  /** Wall time, ns since 1970. */
  readonly wall: bigint;
  readonly bytes: Uint8Array;
}

const GLOBAL_HEADER = 24;
const RECORD_HEADER = 16;
const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;

/** Reads the classic capture format as tcpdump writes it on this machine; a torn last record is left out. */
export function parsePcap(file: Uint8Array): readonly PcapRecord[] {
  if (file.length < GLOBAL_HEADER) return [];
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const magic = view.getUint32(0, true);
  if (magic !== MAGIC_MICROSECONDS && magic !== MAGIC_NANOSECONDS) throw new Error("not a little-endian pcap file");
  const unit = magic === MAGIC_NANOSECONDS ? 1n : 1_000n;
  const records: PcapRecord[] = [];
  for (let at = GLOBAL_HEADER; at + RECORD_HEADER <= file.length;) {
    const length = view.getUint32(at + 8, true);
    const start = at + RECORD_HEADER;
    if (start + length > file.length) break;
    const wall = BigInt(view.getUint32(at, true)) * 1_000_000_000n + BigInt(view.getUint32(at + 4, true)) * unit;
    records.push({ wall, bytes: file.subarray(start, start + length) });
    at = start + length;
  }
  return records;
}
