import { COLON, COMMA, DASH, digitsEnd, DOT, fixedNumber, isDigit, PLUS, SPACE } from "./ascii.ts";

/** The sender did not say which zone its time is in. */
export const ZONE_UNKNOWN = 1_000_000;
/** Digits of a second's fraction that are kept (RFC 5424 section 6.2.3 allows six; some devices send nine). */
const MOST_FRACTION_DIGITS = 9;
/** Years on either side of the receive time in which 29 February is looked for: 1900 and 2100 leave gaps of eight. */
const LEAP_SEARCH = 8;

/** A sender's time, as it said it: calendar fields, never converted, so that a zone it left out is not invented. */
export class Timestamp {
  present = false;
  year = 0;
  month = 0;
  day = 0;
  hour = 0;
  minute = 0;
  second = 0;
  /** Digits of the fraction, as positions in the datagram. */
  fractionStart = 0;
  fractionEnd = 0;
  /** Minutes east of UTC, or ZONE_UNKNOWN. */
  zone: number = ZONE_UNKNOWN;
  /** Cisco's `*` or `.` before the time: the device's clock is not synchronized. */
  unsynchronized = false;

  clear(): void {
    this.present = false;
    this.fractionStart = this.fractionEnd = 0;
    this.zone = ZONE_UNKNOWN;
    this.unsynchronized = false;
  }
}

/**
 * `2003-10-11T22:14:15.003Z`, `2003-10-11 22:14:15,003`, `...+0200`. Returns where it ends, or -1.
 * Seconds may be 60: a device that logs during a leap second tells the truth.
 */
export function decodeRfc3339(bytes: Uint8Array, at: number, end: number, into: Timestamp): number {
  into.year = fixedNumber(bytes, at, end, 4);
  into.month = fixedNumber(bytes, at + 5, end, 2);
  into.day = fixedNumber(bytes, at + 8, end, 2);
  const separator = bytes[at + 10];
  if (into.year < 0 || bytes[at + 4] !== DASH || bytes[at + 7] !== DASH) return -1;
  if (separator !== 0x54 && separator !== 0x74 && separator !== SPACE) return -1;
  const time = decodeTimeOfDay(bytes, at + 11, end, into);
  if (time < 0 || !isCalendarDay(into.year, into.month, into.day)) return -1;
  const zoned = decodeZone(bytes, time, end, into);
  into.present = zoned >= 0;
  return zoned;
}

/** `22:14:15`, `22:14:15.003` */
function decodeTimeOfDay(bytes: Uint8Array, at: number, end: number, into: Timestamp): number {
  into.hour = fixedNumber(bytes, at, end, 2);
  into.minute = fixedNumber(bytes, at + 3, end, 2);
  into.second = fixedNumber(bytes, at + 6, end, 2);
  if (bytes[at + 2] !== COLON || bytes[at + 5] !== COLON) return -1;
  if (!within(into.hour, 23) || !within(into.minute, 59) || !within(into.second, 60)) return -1;
  return decodeFraction(bytes, at + 8, end, into);
}

function decodeFraction(bytes: Uint8Array, at: number, end: number, into: Timestamp): number {
  into.fractionStart = into.fractionEnd = 0;
  if (at >= end || (bytes[at] !== DOT && bytes[at] !== COMMA) || !isDigit(bytes[at + 1])) return at;
  const stop = digitsEnd(bytes, at + 1, end);
  if (stop === at + 1) return at;
  into.fractionStart = at + 1;
  into.fractionEnd = Math.min(stop, at + 1 + MOST_FRACTION_DIGITS);
  return stop;
}

/** `Z`, `+02:00`, `+0200` or nothing. */
function decodeZone(bytes: Uint8Array, at: number, end: number, into: Timestamp): number {
  into.zone = ZONE_UNKNOWN;
  if (at >= end) return at;
  const sign = bytes[at];
  if (sign === 0x5a || sign === 0x7a) {
    into.zone = 0;
    return at + 1;
  }
  if (sign !== PLUS && sign !== DASH) return at;
  const colon = bytes[at + 3] === COLON ? 1 : 0;
  const hours = fixedNumber(bytes, at + 1, end, 2);
  const minutes = fixedNumber(bytes, at + 3 + colon, end, 2);
  if (!within(hours, 23) || !within(minutes, 59)) return -1;
  into.zone = (sign === DASH ? -1 : 1) * (hours * 60 + minutes);
  return at + 5 + colon;
}

/** `Oct 11 22:14:15`, `Oct  1 2003 22:14:15.003`, `2003 Oct  1 22:14:15`. Returns where it ends, or -1. */
export function decodeBsdTime(
  bytes: Uint8Array,
  at: number,
  end: number,
  receivedSeconds: number,
  into: Timestamp,
): number {
  const yearFirst = fixedNumber(bytes, at, end, 4);
  const monthAt = yearFirst >= 0 && bytes[at + 4] === SPACE ? at + 5 : at;
  into.month = monthAt + 3 < end && bytes[monthAt + 3] === SPACE ? monthOf(bytes, monthAt) : 0;
  if (into.month === 0) return -1;
  let next = decodeDay(bytes, monthAt + 4, end, into);
  if (next < 0) return -1;
  const yearAfter = bytes[next + 4] === SPACE ? fixedNumber(bytes, next, end, 4) : -1;
  if (yearAfter >= 0) next += 5;
  let stop = decodeTimeOfDay(bytes, next, end, into);
  if (stop < 0) return -1;
  into.zone = ZONE_UNKNOWN;
  let year = Math.max(monthAt > at ? yearFirst : -1, yearAfter);
  const yearLast = year < 0 ? trailingYear(bytes, stop, end) : -1;
  if (yearLast >= 0) {
    year = yearLast;
    stop += 5;
  }
  into.year = year >= 0 ? year : nearestYear(into, receivedSeconds);
  into.present = isCalendarDay(into.year, into.month, into.day);
  return into.present ? stop : -1;
}

/** Comware puts it behind: `Nov 22 14:42:01 2026 host`. A host whose whole name is such a number would be misread. */
function trailingYear(bytes: Uint8Array, at: number, end: number): number {
  if (at + 5 >= end || bytes[at] !== SPACE || bytes[at + 5] !== SPACE) return -1;
  const year = fixedNumber(bytes, at + 1, end, 4);
  return year >= 1970 && year < 2100 ? year : -1;
}

/** ` 1`, `01`, `1`, `11`, then a space. */
function decodeDay(bytes: Uint8Array, at: number, end: number, into: Timestamp): number {
  const start = at < end && bytes[at] === SPACE ? at + 1 : at;
  const stop = digitsEnd(bytes, start, Math.min(end, start + 2));
  into.day = stop === start ? -1 : fixedNumber(bytes, start, end, stop - start);
  return into.day >= 1 && bytes[stop] === SPACE && stop < end ? stop + 1 : -1;
}

/**
 * RFC 3164 leaves the year out. The year that puts the time nearest to when it was received is right at both ends of
 * December, for a device whose clock is hours wrong, and for a zone we do not know.
 */
export function nearestYear(time: Timestamp, receivedSeconds: number): number {
  const around = yearOf(receivedSeconds);
  const reach = time.month === 2 && time.day === 29 ? LEAP_SEARCH : 1;
  const secondOfDay = time.hour * 3_600 + time.minute * 60 + time.second;
  let best = around;
  let distance = Infinity;
  for (let year = around - reach; year <= around + reach; year += 1) {
    if (!isCalendarDay(year, time.month, time.day)) continue;
    const away = Math.abs(daysSinceEpoch(year, time.month, time.day) * 86_400 + secondOfDay - receivedSeconds);
    if (away < distance) {
      best = year;
      distance = away;
    }
  }
  return best;
}

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"].map((name) =>
  packed(name.charCodeAt(0), name.charCodeAt(1), name.charCodeAt(2)),
);

function packed(a: number, b: number, c: number): number {
  return ((a | 0x20) << 16) | ((b | 0x20) << 8) | (c | 0x20);
}

/** 1 to 12; 0 when the three letters are no month. */
function monthOf(bytes: Uint8Array, at: number): number {
  return MONTHS.indexOf(packed(bytes[at] ?? 0, bytes[at + 1] ?? 0, bytes[at + 2] ?? 0)) + 1;
}

function within(value: number, highest: number): boolean {
  return value >= 0 && value <= highest;
}

const MONTH_DAYS = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function isCalendarDay(year: number, month: number, day: number): boolean {
  const days = (MONTH_DAYS[month] ?? 0) + (month === 2 && isLeap(year) ? 1 : 0);
  return month >= 1 && day >= 1 && day <= days;
}

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

/** Days since 1970-01-01 in the Gregorian calendar. */
export function daysSinceEpoch(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return (
    era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
  );
}

/** The UTC year of a time in seconds since 1970. */
export function yearOf(epochSeconds: number): number {
  const days = Math.floor(epochSeconds / 86_400);
  let year = 1970 + Math.floor(days / 365.2425);
  while (daysSinceEpoch(year, 1, 1) > days) year -= 1;
  while (daysSinceEpoch(year + 1, 1, 1) <= days) year += 1;
  return year;
}
