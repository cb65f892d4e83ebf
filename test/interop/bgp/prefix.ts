import { parsePrefix, type Prefix } from "@stitch/bgp-speaker";

/** As it is written, such as 10.10.10.53/32. */
export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(`not a prefix: ${text}`);
  return parsed;
}
