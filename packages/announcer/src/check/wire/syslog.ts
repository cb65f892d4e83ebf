/** A probe as an RFC 5424 message: user.info without a time of its own. `token` is in the text and in structured data. */
export function encodeProbe(token: string): Uint8Array {
  const plain = token.replaceAll(/[^0-9A-Za-z-]/g, "");
  return Buffer.from(`<14>1 - - stitch-announcer - PROBE [probe@32473 token="${plain}"] probe ${plain}`, "latin1");
}
