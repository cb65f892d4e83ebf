import { isIP, isIPv6 } from "node:net";
import { days, formatDuration, hours, milliseconds, minutes, seconds, type Duration } from "@stitch/clock";
import { z } from "zod";
import { shown } from "./problem.ts";

/** A number of bytes. */
export type ByteSize = number & z.core.$brand<"ByteSize">;

/** An address block; the shape that bgp-speaker announces. */
export interface Prefix {
  readonly family: "ipv4" | "ipv6";
  readonly address: string;
  readonly length: number;
}

/** An address, never a name, and a port: nothing in Stitch's path waits for DNS. */
export interface HostPort {
  readonly address: string;
  readonly port: number;
}

/** Where a service listens: `udp://10.10.5.14:514`. */
export interface ListenUrl extends HostPort {
  readonly scheme: string;
}

const TIME_UNITS: Readonly<Record<string, (n: number) => Duration>> = {
  ms: milliseconds,
  s: seconds,
  m: minutes,
  h: hours,
  d: days,
};

const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** `300ms`, `9s`, `15m`, `24h`, `1d`; within bounds when they are given. */
export function duration(bounds: Bounds = {}): z.ZodType<Duration> {
  return parsed(`a duration such as 300ms, 9s, 15m, 24h or 1d${boundsText(bounds)}`, (text) => {
    const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
    const value = unit === undefined ? undefined : TIME_UNITS[unit]?.(Number(number));
    return value !== undefined && within(value, bounds) ? value : undefined;
  });
}

/** `256MiB`, `50GiB`. */
export function byteSize(): z.ZodType<ByteSize> {
  return parsed("a size such as 512KiB, 256MiB or 50GiB", (text) => {
    const [, number, unit] = /^(\d+(?:\.\d+)?)(B|KiB|MiB|GiB|TiB)$/.exec(text) ?? [];
    const factor = unit === undefined ? undefined : SIZE_UNITS[unit];
    const size = factor === undefined ? Number.NaN : Math.round(Number(number) * factor);
    return Number.isSafeInteger(size) ? (size as ByteSize) : undefined;
  });
}

/** `5%` as 0.05. */
export function percent(): z.ZodType<number> {
  return parsed("a share such as 5%", (text) => {
    const [, number] = /^(\d+(?:\.\d+)?)%$/.exec(text) ?? [];
    const share = Number(number) / 100;
    return share >= 0 && share <= 1 ? share : undefined;
  });
}

/** An IPv4 or IPv6 address; IPv6 in its canonical text (RFC 5952), so that equal addresses are equal strings. */
export function ipAddress(): z.ZodType<string> {
  return parsed("an IPv4 or IPv6 address", (text) => (isIP(text) === 0 ? undefined : canonical(text)));
}

/** An address block; a bare address is its own block. Host bits must be zero. */
export function prefix(): z.ZodType<Prefix> {
  return parsed("a prefix such as 10.10.10.53/32 or fd00:10:10::/64, with no bits set behind its length", parsePrefix);
}

/** `10.0.5.5:5353`, `[fd00::1]:53`; without a port, `defaultPort`. */
export function hostPort(defaultPort?: number): z.ZodType<HostPort> {
  const example =
    defaultPort === undefined ? "10.0.0.1:8053 or [fd00::1]:8053" : "10.0.0.1, 10.0.0.1:5353 or [fd00::1]:5353";
  return parsed(`an address and port such as ${example} (no names: DNS may be what is down)`, (text) =>
    parseHostPort(text, defaultPort),
  );
}

/** `udp://10.10.5.14:514` with one of `schemes`. */
export function listenUrl<Scheme extends string>(
  schemes: readonly Scheme[],
): z.ZodType<ListenUrl & { readonly scheme: Scheme }> {
  return parsed(`an address such as ${schemes.map((scheme) => `${scheme}://10.10.5.14:514`).join(" or ")}`, (text) => {
    const [, scheme, rest] = /^([a-z]+):\/\/(.+)$/.exec(text) ?? [];
    const known = schemes.find((candidate) => candidate === scheme);
    const place = rest === undefined ? undefined : parseHostPort(rest, undefined);
    return known === undefined || place === undefined ? undefined : { scheme: known, ...place };
  });
}

/** Numbers that no neighbour may use: AS_TRANS (RFC 6793 section 9) and the last of the 16-bit range (RFC 7300). */
const RESERVED_AS_NUMBERS: ReadonlySet<number> = new Set([23_456, 65_535]);

/** An autonomous system number that may be used between neighbours (RFC 6793; RFC 7607: 0 is not one). */
export function asNumber(): z.ZodType<number> {
  const expected = "an autonomous system number from 1 to 4294967294 (23456 and 65535 are reserved)";
  return checked(expected, (input) => {
    const usable = typeof input === "number" && Number.isInteger(input) && input >= 1 && input <= 4_294_967_294;
    return usable && !RESERVED_AS_NUMBERS.has(input) ? input : undefined;
  });
}

/** An IPv4 address in dotted form as an identifier (RFC 4271 section 4.2); 0.0.0.0 is not one. */
export function routerId(): z.ZodType<string> {
  return parsed("an IPv4 address that is this machine's own, never a VIP", (text) =>
    isIP(text) === 4 && text !== "0.0.0.0" ? text : undefined,
  );
}

function parseHostPort(text: string, defaultPort: number | undefined): HostPort | undefined {
  if (isIP(text) !== 0 && defaultPort !== undefined) return { address: canonical(text), port: defaultPort };
  const [, bracketed, bare, port] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const address = bracketed ?? bare;
  const number = port === undefined ? defaultPort : Number(port);
  if (address === undefined || isIP(address) === 0 || isIPv6(address) !== (bracketed !== undefined)) return undefined;
  return number === undefined || number > 65_535 ? undefined : { address: canonical(address), port: number };
}

function parsePrefix(text: string): Prefix | undefined {
  const [address = "", bits, rest] = text.split("/");
  const version = isIP(address);
  if (version === 0 || rest !== undefined || address.includes("%")) return undefined;
  const widest = version === 4 ? 32 : 128;
  const length = bits === undefined ? widest : Number(bits);
  if ((bits !== undefined && !/^(0|[1-9]\d{0,2})$/.test(bits)) || length > widest) return undefined;
  return hostBitsZero(address, version, length)
    ? { family: version === 4 ? "ipv4" : "ipv6", address: canonical(address), length }
    : undefined;
}

function hostBitsZero(address: string, version: number, length: number): boolean {
  const groups = version === 4 ? address.split(".").map(Number) : expandIPv6(address);
  const width = version === 4 ? 8 : 16;
  return groups.every((group, i) => {
    const networkBits = Math.min(width, Math.max(0, length - i * width));
    return (group & ((1 << (width - networkBits)) - 1)) === 0;
  });
}

function expandIPv6(address: string): number[] {
  const [head = "", tail] = canonical(address).split("::");
  const left = groupsOf(head);
  const right = tail === undefined ? [] : groupsOf(tail);
  return [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right];
}

/** Lower case, zeros compressed; an address with a zone (fe80::1%eth0) is left as it is written. */
function canonical(address: string): string {
  if (!address.includes(":") || address.includes("%")) return address;
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

function groupsOf(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}

interface Bounds {
  readonly min?: Duration;
  readonly max?: Duration;
}

function within(value: Duration, { min, max }: Bounds): boolean {
  return (min === undefined || value >= min) && (max === undefined || value <= max);
}

function boundsText({ min, max }: Bounds): string {
  if (min !== undefined && max !== undefined) return `, from ${formatDuration(min)} to ${formatDuration(max)}`;
  if (min !== undefined) return `, at least ${formatDuration(min)}`;
  return max === undefined ? "" : `, at most ${formatDuration(max)}`;
}

/** More threads than any machine that serves a site has cores for them. */
const MOST_WORKERS = 64;

/** Threads that serve side by side. */
export function workerCount(): z.ZodType<number> {
  return parsed(`a number of workers from 1 to ${MOST_WORKERS}`, (text) =>
    /^\d{1,2}$/.test(text) && Number(text) >= 1 && Number(text) <= MOST_WORKERS ? Number(text) : undefined,
  );
}

/** A string setting with its own notation; anything else is refused with the value and what was expected. */
export function parsed<T>(expected: string, parse: (text: string) => T | undefined): z.ZodType<T> {
  return checked(expected, (input) =>
    typeof input === "string" || typeof input === "number" ? parse(String(input)) : undefined,
  );
}

function checked<T>(expected: string, read: (input: unknown) => T | undefined): z.ZodType<T> {
  return z.unknown().transform((input, context) => {
    const value = read(input);
    if (value !== undefined) return value;
    context.issues.push({ code: "custom", message: expectation(expected)({ input }), input });
    return z.NEVER;
  });
}

/** The error text of every ill-typed setting: the value, then what it should have been. */
export function expectation(expected: string): (issue: { readonly input?: unknown }) => string {
  return ({ input }) => (input === undefined ? `is missing: ${expected}` : `${shown(input)} is not ${expected}`);
}
