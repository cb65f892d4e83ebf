import { StructuredData } from "./structured-data.ts";
import { Timestamp } from "./timestamp.ts";

/** Which header was read. The codes index LAYOUT_NAMES. */
export const LAYOUT = { unparsed: 0, rfc5424: 1, rfc3164: 2 } as const;
export type Layout = (typeof LAYOUT)[keyof typeof LAYOUT];
export const LAYOUT_NAMES = ["unparsed", "rfc5424", "rfc3164"] as const;

/** What stood where `<PRI>` belongs. */
export const PRIORITY = { present: 0, absent: 1, invalid: 2 } as const;
export type Priority = (typeof PRIORITY)[keyof typeof PRIORITY];

/** No number was given. */
export const NONE = -1;

/**
 * One decoded message as positions in the bytes it was decoded from: refilled for every datagram, so that decoding
 * allocates nothing. A span whose start equals its end is absent.
 *
 * Normal: `<34>1 2003-10-11T22:14:15.003Z mymachine su - ID47 - text` gives priority 34 and seven spans.
 * Hard: `<189>123: *Mar  1 00:00:01.123: %SYS-5-CONFIG_I: text` has no host; 123 is the device's message counter, `*`
 * says that its clock is not to be trusted, and `%SYS-5-CONFIG_I` takes the place of a message id.
 */
export class Message {
  layout: Layout = LAYOUT.unparsed;
  priorityState: Priority = PRIORITY.absent;
  /** facility * 8 + severity (RFC 5424 section 6.2.1), or NONE. */
  priority: number = NONE;
  readonly time = new Timestamp();
  hostStart = 0;
  hostEnd = 0;
  appStart = 0;
  appEnd = 0;
  pidStart = 0;
  pidEnd = 0;
  msgidStart = 0;
  msgidEnd = 0;
  readonly structuredData = new StructuredData();
  /** The text, without BOM and without trailing CR, LF and NUL. */
  textStart = 0;
  textEnd = 0;
  /** Cisco's message count, first number before the header, or NONE. */
  counter: number = NONE;
  /** Cisco's `service sequence-numbers`, second number before the header, or NONE. */
  sequence: number = NONE;

  clear(): void {
    this.layout = LAYOUT.unparsed;
    this.priorityState = PRIORITY.absent;
    this.priority = NONE;
    this.clearHeader();
  }

  /** Forgets all but the priority, for the next layout to be tried. */
  clearHeader(): void {
    this.time.clear();
    this.structuredData.clear();
    this.hostStart = this.hostEnd = 0;
    this.appStart = this.appEnd = 0;
    this.pidStart = this.pidEnd = 0;
    this.msgidStart = this.msgidEnd = 0;
    this.textStart = this.textEnd = 0;
    this.counter = this.sequence = NONE;
  }

  setHost(start: number, end: number): void {
    this.hostStart = start;
    this.hostEnd = end;
  }

  setApp(start: number, end: number): void {
    this.appStart = start;
    this.appEnd = end;
  }

  setPid(start: number, end: number): void {
    this.pidStart = start;
    this.pidEnd = end;
  }

  setMsgid(start: number, end: number): void {
    this.msgidStart = start;
    this.msgidEnd = end;
  }
}
