/** Bytes of the hottest answers that a site gives: some 35,000 of them, which come over a line of 100 ms in one second. */
export const MOST_HOT_BYTES = 4 * 2 ** 20;
/** Answers, of whatever size. */
export const MOST_HOT_ANSWERS = 32_768;
const LENGTH_BYTES = 4;
/** With a length for each of 64 workers. */
export const LARGEST_PARTS = MOST_HOT_BYTES + 64 * LENGTH_BYTES;

/** The parts of the workers, each a saved cache with a length of four octets before it. */
export function joined(parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt32BE(part.length);
      return [length, part];
    }),
  );
}

/** Undefined when it is not made of parts. */
export function parted(bytes: Buffer): Buffer[] | undefined {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    if (at + LENGTH_BYTES > bytes.length) return undefined;
    const end = at + LENGTH_BYTES + bytes.readUInt32BE(at);
    if (end > bytes.length) return undefined;
    parts.push(bytes.subarray(at + LENGTH_BYTES, end));
    at = end;
  }
  return parts;
}
