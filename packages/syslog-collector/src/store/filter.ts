import { ENDPOINT_BYTES, readEndpoint, writeEndpoint } from "@stitch/linux-io";
import { rawBytes, senderAddress, type LogRecord } from "./record.ts";
import type { Sidecar } from "./summary.ts";

/** Which records to read. All given conditions must hold. */
export interface RecordFilter {
  /** Receive time, microseconds since 1970: from, inclusive. */
  readonly since?: number;
  /** Receive time, microseconds since 1970: up to, exclusive. */
  readonly until?: number;
  /** Sender's address, without port, in any spelling. Link-local: without a zone, any. */
  readonly sender?: string;
  /** Host name in the header; not case-sensitive, as names are. */
  readonly host?: string;
  /** This severity and worse: 4 gives 0 to 4. Records without severity do not match. */
  readonly severity?: number;
  /** Text within the datagram, case-sensitive. */
  readonly text?: string;
}

/** A line whose datagram is in base64, where text is not to be seen before it is decoded. */
const RAW64 = Buffer.from(',"raw64":"');

/** A filter made ready to be asked about millions of lines. */
export class RecordMatcher {
  readonly #filter: RecordFilter;
  readonly #host: string | undefined;
  readonly #sender: string | undefined;
  readonly #textBytes: Buffer | undefined;

  constructor(filter: RecordFilter) {
    this.#filter = filter;
    this.#sender = filter.sender === undefined ? undefined : canonical(filter.sender);
    this.#host = filter.host?.toLowerCase();
    // Lines escape as JSON.stringify does, so the escaped text can be looked for in the bytes before parsing anything.
    this.#textBytes = filter.text === undefined ? undefined : Buffer.from(JSON.stringify(filter.text).slice(1, -1));
  }

  /** False when no record of the segment can match. */
  mayContain({ since, until, senders, otherSenders, severities }: Sidecar): boolean {
    const { filter } = this;
    if (filter.since !== undefined && Date.parse(until) * 1_000 < filter.since) return false;
    if (filter.until !== undefined && Date.parse(since) * 1_000 >= filter.until) return false;
    if (otherSenders === 0 && !Object.keys(senders).some((address) => this.#isSender(address, true))) return false;
    const worst = filter.severity;
    return worst === undefined || severities.some((count, severity) => severity <= worst && severity < 8 && count > 0);
  }

  /** False when the line cannot match; true means: parse it and ask `matches`. */
  mayMatch(line: Buffer): boolean {
    return this.#textBytes === undefined || line.includes(this.#textBytes) || line.includes(RAW64);
  }

  matches(record: LogRecord): boolean {
    const { filter } = this;
    if (filter.severity !== undefined && (record.severity ?? 8) > filter.severity) return false;
    if (this.#sender !== undefined && !this.#isSender(senderAddress(record.from))) return false;
    if (this.#host !== undefined && record.host?.toLowerCase() !== this.#host) return false;
    if (filter.text !== undefined && !containsText(record, filter.text)) return false;
    return this.#inTime(record.rx);
  }

  private get filter(): RecordFilter {
    return this.#filter;
  }

  /** `zoneless`: sidecars of earlier versions name link-local senders without their zone. */
  #isSender(address: string, zoneless = false): boolean {
    const sender = this.#sender;
    if (sender === undefined || address === sender) return true;
    const [sought, zone] = sender.split("%");
    const [known, at] = address.split("%");
    return known === sought && (zone === undefined || (zoneless && at === undefined));
  }

  #inTime(rx: string): boolean {
    const { since, until } = this.#filter;
    if (since === undefined && until === undefined) return true;
    const micros = microsOf(rx);
    return (since === undefined || micros >= since) && (until === undefined || micros < until);
  }
}

function containsText(record: LogRecord, text: string): boolean {
  if (record.message.includes(text) || (record.host?.includes(text) ?? false)) return true;
  if (record.raw !== undefined) return record.raw.includes(text);
  const bytes = rawBytes(record);
  return bytes.includes(text, 0, "utf8") || bytes.toString("latin1").includes(text);
}

/** As stored lines have it; what is no address stays as it is, and matches nothing. */
function canonical(address: string): string {
  const record = new Uint8Array(ENDPOINT_BYTES);
  return writeEndpoint({ address, port: 0 }, record, 0) ? (readEndpoint(record, 0)?.address ?? address) : address;
}

/** Microseconds since 1970 of an RFC 3339 text with up to nine fraction digits. */
export function microsOf(rx: string): number {
  const fraction = /\.(\d+)/.exec(rx)?.[1] ?? "";
  return Date.parse(rx.replace(/\.\d+/, "")) * 1_000 + Number(fraction.slice(0, 6).padEnd(6, "0"));
}
