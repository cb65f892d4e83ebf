export type { Decoded, FormatError } from "./decoded.ts";
export { EDNS_SIZE, OPT_BYTES, SMALLEST_UDP, writeOpt, writeOption } from "./edns.ts";
export { framed, Frames } from "./frames.ts";
export { AA, AD, AT, CD, HEADER_BYTES, QR, RA, RD, TC } from "./header.ts";
export { decodeMessage, MOST_RECORDS, type Message, type RecordAt } from "./message.ts";
export { expandName, formatName, isBelow, lowerName, parentName, parseName, sameName } from "./name.ts";
export { decodeQuery, FAULT, Query, type Fault } from "./query.ts";
export { CLASS, EDE, OPTION, RCODE, TYPE } from "./registry.ts";
