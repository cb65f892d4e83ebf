import { DASH } from "./wire/ascii.ts";
import { LAYOUT_NAMES, NONE, type Message } from "./wire/message.ts";
import { ZONE_UNKNOWN, type Timestamp } from "./wire/timestamp.ts";
import { JsonBytes, piece } from "./store/json-bytes.ts";
import type { StructuredData } from "./wire/structured-data.ts";

const SEQ = piece('{"seq":');
const RX = piece(',"rx":"');
const FROM = piece('","from":"');
const TO = piece('","to":"');
const LAYOUTS = LAYOUT_NAMES.map((name) => piece(`","layout":"${name}"`));
const TRUNCATED = piece(',"truncated":true');
const FACILITY = piece(',"facility":');
const SEVERITY = piece(',"severity":');
const TIME = piece(',"time":"');
const UNSYNCHRONIZED = piece(',"unsynchronized":true');
const HOST = piece(',"host":"');
const APP = piece(',"app":"');
const PID = piece(',"pid":"');
const MSGID = piece(',"msgid":"');
const COUNTER = piece(',"counter":');
const SEQUENCE = piece(',"sequence":');
const SD = piece(',"sd":{');
const RAW = piece(',"raw":"');
const RAW64 = piece(',"raw64":"');
const MESSAGE = piece(',"message":"');
const END = piece('"}\n');

const QUOTE = 0x22;
const COLON = 0x3a;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
/** Every byte may be escaped to 6 in the raw text, and 6 more in the one field or the text it belongs to. */
const WORST_GROWTH = 14;
/** All keys, numbers, addresses and punctuation of a line, structured data's included, with room to spare. */
const FIXED_ROOM = 2_048;

/** Bytes that the line of a datagram of `length` bytes may take. */
export function lineRoom(length: number): number {
  return length * WORST_GROWTH + FIXED_ROOM;
}

/** Where a datagram came from and when; positions into the batch that it arrived in. */
export interface Arrival {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly peers: Uint8Array;
  readonly peerOffset: number;
  readonly locals: Uint8Array;
  readonly localOffset: number;
  readonly truncated: boolean;
}

/**
 * Writes one record as one line of JSON. Keys appear in this order, absent ones not at all; the README of the package
 * has the table:
 *
 *   seq rx from to layout truncated facility severity time unsynchronized host app pid msgid counter sequence sd raw|raw64 message
 *
 * `raw` is the datagram when it is valid UTF-8, else `raw64` has its bytes in base64: nothing is ever lost.
 */
export class RecordLine {
  readonly #json = new JsonBytes();
  readonly #second = new Uint8Array(19);
  #secondIs = -1;

  /** Writes at `at` in `into`, which has lineRoom() bytes left, and returns where the line ends. */
  write(into: Uint8Array, at: number, sequence: number, arrival: Arrival, message: Message): number {
    const json = this.#json;
    json.begin(into, at);
    json.piece(SEQ);
    json.number(sequence);
    json.piece(RX);
    this.#receiveTime(arrival);
    json.piece(FROM);
    json.endpoint(arrival.peers, arrival.peerOffset);
    if (arrival.locals[arrival.localOffset] !== 0) {
      json.piece(TO);
      json.endpoint(arrival.locals, arrival.localOffset);
    }
    json.piece(LAYOUTS[message.layout] as Uint8Array);
    if (arrival.truncated) json.piece(TRUNCATED);
    this.#header(arrival.bytes, message);
    this.#body(arrival, message);
    json.piece(END);
    return json.at;
  }

  #receiveTime({ seconds, nanoseconds }: Arrival): void {
    if (seconds !== this.#secondIs) {
      this.#second.set(piece(new Date(seconds * 1_000).toISOString().slice(0, 19)));
      this.#secondIs = seconds;
    }
    this.#json.piece(this.#second);
    this.#json.byte(0x2e);
    this.#json.padded(nanoseconds, 9);
    this.#json.byte(0x5a);
  }

  #header(bytes: Uint8Array, message: Message): void {
    if (message.priority !== NONE) {
      this.#number(FACILITY, message.priority >> 3);
      this.#number(SEVERITY, message.priority & 7);
    }
    if (message.time.present) this.#time(bytes, message.time);
    this.#text(HOST, bytes, message.hostStart, message.hostEnd);
    this.#text(APP, bytes, message.appStart, message.appEnd);
    this.#text(PID, bytes, message.pidStart, message.pidEnd);
    this.#text(MSGID, bytes, message.msgidStart, message.msgidEnd);
    if (message.counter !== NONE) this.#number(COUNTER, message.counter);
    if (message.sequence !== NONE) this.#number(SEQUENCE, message.sequence);
    if (message.structuredData.elements > 0) this.#structuredData(bytes, message.structuredData);
  }

  #number(key: Uint8Array, value: number): void {
    this.#json.piece(key);
    this.#json.number(value);
  }

  #text(key: Uint8Array, bytes: Uint8Array, start: number, end: number): void {
    if (start >= end) return;
    this.#json.piece(key);
    this.#json.tolerantText(bytes, start, end);
    this.#json.byte(QUOTE);
  }

  /** The message is most often the tail of the raw text: then it is copied, already escaped, from there. */
  #body({ bytes, start, end }: Arrival, message: Message): void {
    const json = this.#json;
    const before = json.at;
    json.piece(RAW);
    const valid = json.strictText(bytes, start, message.textStart);
    const textAt = json.at;
    if (valid && json.strictText(bytes, message.textStart, message.textEnd)) {
      const textEnd = json.at;
      if (json.strictText(bytes, message.textEnd, end)) {
        json.byte(QUOTE);
        json.piece(MESSAGE);
        json.bytes.copyWithin(json.at, textAt, textEnd);
        json.at += textEnd - textAt;
        return;
      }
    }
    json.at = before;
    json.piece(RAW64);
    json.base64(bytes, start, end);
    json.byte(QUOTE);
    json.piece(MESSAGE);
    json.tolerantText(bytes, message.textStart, message.textEnd);
  }

  /** As the sender said it; without a zone when it named none. */
  #time(bytes: Uint8Array, time: Timestamp): void {
    const json = this.#json;
    json.piece(TIME);
    json.padded(time.year, 4);
    json.byte(DASH);
    json.padded(time.month, 2);
    json.byte(DASH);
    json.padded(time.day, 2);
    json.byte(0x54);
    this.#clock(time.hour, time.minute);
    json.byte(COLON);
    json.padded(time.second, 2);
    if (time.fractionEnd > time.fractionStart) {
      json.byte(0x2e);
      json.ascii(bytes, time.fractionStart, time.fractionEnd);
    }
    this.#zone(time.zone);
    json.byte(QUOTE);
    if (time.unsynchronized) json.piece(UNSYNCHRONIZED);
  }

  #zone(minutes: number): void {
    if (minutes === ZONE_UNKNOWN) return;
    if (minutes === 0) {
      this.#json.byte(0x5a);
      return;
    }
    this.#json.byte(minutes < 0 ? DASH : 0x2b);
    this.#clock(Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60);
  }

  #clock(hours: number, minutes: number): void {
    this.#json.padded(hours, 2);
    this.#json.byte(COLON);
    this.#json.padded(minutes, 2);
  }

  /** `"sd":{"id":{"name":"value","ip":["192.0.2.1","192.0.2.129"]}}`; of elements with one id, the first counts. */
  #structuredData(bytes: Uint8Array, data: StructuredData): void {
    const json = this.#json;
    json.piece(SD);
    for (let element = 0; element < data.elements; element += 1) {
      if (firstWith(bytes, data.idStart, data.idEnd, 0, element) < element) continue;
      if (element > 0) json.byte(COMMA);
      this.#name(bytes, data.idStart[element] as number, data.idEnd[element] as number);
      json.byte(0x7b);
      this.#parameters(bytes, data, element);
      json.byte(0x7d);
    }
    json.byte(0x7d);
  }

  #parameters(bytes: Uint8Array, data: StructuredData, element: number): void {
    const first = data.elementOf.subarray(0, data.parameters).indexOf(element);
    if (first < 0) return;
    for (let row = first; row < data.parameters && data.elementOf[row] === element; row += 1) {
      if (firstWith(bytes, data.nameStart, data.nameEnd, first, row) < row) continue;
      if (row > first) this.#json.byte(COMMA);
      this.#name(bytes, data.nameStart[row] as number, data.nameEnd[row] as number);
      this.#values(bytes, data, row);
    }
  }

  /** The value of `row`, and in an array with it those of later parameters of the same name. */
  #values(bytes: Uint8Array, data: StructuredData, row: number): void {
    const json = this.#json;
    const open = json.at;
    json.byte(0x5b);
    this.#value(bytes, data, row);
    let several = false;
    for (let next = row + 1; next < data.parameters && data.elementOf[next] === data.elementOf[row]; next += 1) {
      if (!sameSpan(bytes, data.nameStart, data.nameEnd, row, next)) continue;
      several = true;
      json.byte(COMMA);
      this.#value(bytes, data, next);
    }
    if (several) json.byte(0x5d);
    else {
      json.bytes.copyWithin(open, open + 1, json.at);
      json.at -= 1;
    }
  }

  /** Section 6.3.3: a backslash escapes quote, backslash and bracket, and stands for itself before anything else. */
  #value(bytes: Uint8Array, data: StructuredData, row: number): void {
    const json = this.#json;
    const end = data.valueEnd[row] as number;
    let from = data.valueStart[row] as number;
    json.byte(QUOTE);
    for (let i = from; i + 1 < end; i += 1) {
      const escaped = bytes[i + 1];
      if (bytes[i] !== BACKSLASH || (escaped !== QUOTE && escaped !== BACKSLASH && escaped !== 0x5d)) continue;
      json.tolerantText(bytes, from, i);
      from = i + 1;
      i += 1;
    }
    json.tolerantText(bytes, from, end);
    json.byte(QUOTE);
  }

  #name(bytes: Uint8Array, start: number, end: number): void {
    this.#json.byte(QUOTE);
    this.#json.tolerantText(bytes, start, end);
    this.#json.byte(QUOTE);
    this.#json.byte(COLON);
  }
}

/** First row from `from` whose span reads as that of `row`. */
function firstWith(bytes: Uint8Array, starts: Int32Array, ends: Int32Array, from: number, row: number): number {
  let first = from;
  while (first < row && !sameSpan(bytes, starts, ends, first, row)) first += 1;
  return first;
}

function sameSpan(bytes: Uint8Array, starts: Int32Array, ends: Int32Array, a: number, b: number): boolean {
  const startA = starts[a] as number;
  const startB = starts[b] as number;
  const length = (ends[a] as number) - startA;
  if (length !== (ends[b] as number) - startB) return false;
  for (let i = 0; i < length; i += 1) if (bytes[startA + i] !== bytes[startB + i]) return false;
  return true;
}
