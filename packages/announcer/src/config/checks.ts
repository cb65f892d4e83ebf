import { milliseconds, seconds, type Duration } from "@stitch/clock";
import { duration, hostPort, parsed, percent, section, type HostPort } from "@stitch/config";
import { z } from "zod";
import { parsePointer, type JsonPointer } from "../check/json-pointer.ts";
import type { Pace } from "../check/poller.ts";
import { TOKEN } from "../check/syslog.ts";
import { encodeName, QUERY_TYPES, type QueryType } from "../check/wire/dns.ts";
import { addressUrl, leaseUrl } from "./targets.ts";

export type CheckConfig =
  | { readonly kind: "lease"; readonly lease: URL; readonly timeout: Duration }
  | {
      readonly kind: "http";
      readonly url: URL;
      readonly status: number | undefined;
      readonly verdict: JsonPointer | undefined;
      readonly load: JsonPointer | undefined;
      readonly fullLoad: number;
      readonly pace: Pace;
    }
  | { readonly kind: "tcp" | "ntp"; readonly target: HostPort; readonly pace: Pace }
  | {
      readonly kind: "dns";
      readonly target: HostPort;
      readonly name: string;
      readonly type: QueryType;
      readonly pace: Pace;
    }
  | {
      readonly kind: "syslog";
      readonly target: HostPort;
      readonly readBack: string;
      readonly counter: string;
      readonly pace: Pace;
    }
  | {
      readonly kind: "exec";
      readonly command: readonly [string, ...string[]];
      readonly degradedExit: number | undefined;
      readonly pace: Pace;
    }
  | { readonly kind: "all" | "any"; readonly parts: readonly CheckConfig[] };

export type CheckKind = CheckConfig["kind"];

/** Each kind with the settings that go with it; those of PACE go with every polled one. */
const SETTINGS = {
  lease: ["timeout"],
  http: ["status", "verdict", "load", "fullLoad"],
  tcp: [],
  dns: ["name", "type"],
  ntp: [],
  syslog: ["readBack", "counter"],
  exec: ["degradedExit"],
  all: [],
  any: [],
} as const satisfies Record<CheckKind, readonly string[]>;

const PACE = ["interval", "fastInterval", "timeout", "jitter"] as const;
export const CHECK_KINDS = Object.keys(SETTINGS) as CheckKind[];

/** Parts of one combination, and how deep combinations stand in one another. */
const MOST_PARTS = 16;
const DEEPEST = 2;

const DEFAULTS = {
  lease: milliseconds(500),
  interval: seconds(1),
  fastInterval: milliseconds(250),
  timeout: seconds(1),
  jitter: 0.1,
  counter: "stitch_syslog_datagrams_total",
} as const;

const pointer = (): z.ZodType<JsonPointer> =>
  parsed("a JSON pointer such as /gpu/utilization (RFC 6901)", parsePointer);
const httpUrl = (what: string, example: string): z.ZodType<URL> =>
  parsed(`${what}, such as ${example} (no names: DNS may be down)`, addressUrl);

const leafShape = {
  /** Where a service of Stitch streams its lease. */
  lease: parsed(
    "the service's health address, such as http://127.0.0.1:8153 (no names: DNS may be down)",
    leaseUrl,
  ).optional(),
  http: httpUrl("a URL", "http://127.0.0.1:9000/health").optional(),
  /** Passes when the connection is made. */
  tcp: hostPort().optional(),
  dns: hostPort(53).optional(),
  ntp: hostPort(123).optional(),
  /** A message is sent here by UDP and read back at `readBack`. */
  syslog: hostPort(514).optional(),
  /** Absolute path and arguments; no shell. */
  exec: z.array(z.string().min(1)).min(1).max(64).optional(),
  interval: duration({ min: milliseconds(100), max: seconds(3_600) }).optional(),
  /** The interval while RISING or FALLING. */
  fastInterval: duration({ min: milliseconds(50), max: seconds(3_600) }).optional(),
  timeout: duration({ min: milliseconds(50), max: seconds(60) }).optional(),
  jitter: percent().optional(),
  status: z.number().int().min(100).max(599).optional(),
  verdict: pointer().optional(),
  load: pointer().optional(),
  /** The load that counts as saturated. */
  fullLoad: z.number().positive().optional(),
  name: z
    .string()
    .refine((name) => encodeName(name) !== undefined, "is not a domain name")
    .optional(),
  type: z.enum(Object.keys(QUERY_TYPES) as [QueryType, ...QueryType[]]).optional(),
  readBack: parsed(
    "a URL such as http://127.0.0.1:9000/search?q={token} or http://127.0.0.1:8514/metrics",
    readBackUrl,
  ).optional(),
  counter: z
    .string()
    .regex(/^[a-zA-Z_:][a-zA-Z0-9_:]*$/, "is not the name of a metric")
    .optional(),
  degradedExit: z.number().int().min(1).max(255).optional(),
};

type LeafSettings = z.output<z.ZodObject<typeof leafShape>>;
type Settings = LeafSettings & { readonly all?: CheckConfig[] | undefined; readonly any?: CheckConfig[] | undefined };

/** A check that is one of the kinds; combinations hold others, `DEEPEST` levels of them. */
export function checkSection(depth: number = DEEPEST): z.ZodType<CheckConfig> {
  if (depth === 0) return section(leafShape).transform(chosen);
  const parts = z
    .array(checkSection(depth - 1))
    .min(1)
    .max(MOST_PARTS)
    .optional();
  return section({ ...leafShape, all: parts, any: parts }).transform(chosen);
}

interface Context {
  readonly issues: { push(issue: z.core.$ZodRawIssue): unknown };
}

function chosen(settings: Settings, context: Context): CheckConfig {
  const complain = (message: string, ...path: string[]): void =>
    void context.issues.push({ code: "custom", message, path, input: settings });
  const kinds = CHECK_KINDS.filter((kind) => settings[kind] !== undefined);
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) {
    complain(
      `needs exactly one of ${CHECK_KINDS.join(", ")}${kind === undefined ? "" : `; here are ${kinds.join(", ")}`}`,
    );
    return z.NEVER;
  }
  for (const name of foreignTo(kind, settings)) complain(`does not go with a check of the kind "${kind}"`, name);
  const check = checkOf(kind, settings, complain);
  return check ?? z.NEVER;
}

function foreignTo(kind: CheckKind, settings: Settings): string[] {
  const polled = kind !== "lease" && kind !== "all" && kind !== "any";
  const known = new Set<string>([kind, ...SETTINGS[kind], ...(polled ? PACE : [])]);
  return Object.entries(settings).flatMap(([name, value]) => (value === undefined || known.has(name) ? [] : [name]));
}

type Complain = (message: string, ...path: string[]) => void;

function checkOf(kind: CheckKind, settings: Settings, complain: Complain): CheckConfig | undefined {
  const { lease, http: url, tcp, ntp, dns, exec, all, any } = settings;
  const pace = paceOf(settings, complain);
  if (kind === "lease" && lease) return { kind, lease, timeout: settings.timeout ?? DEFAULTS.lease };
  if (kind === "http" && url) {
    const { status, verdict, load, fullLoad = 1 } = settings;
    return { kind, url, status, verdict, load, fullLoad, pace };
  }
  if (kind === "tcp" && tcp) return { kind, target: tcp, pace };
  if (kind === "ntp" && ntp) return { kind, target: ntp, pace };
  if (kind === "dns" && dns)
    return { kind, target: dns, name: settings.name ?? ".", type: settings.type ?? "NS", pace };
  if (kind === "syslog") return syslogCheck(settings, pace, complain);
  if (kind === "exec" && exec) return execCheck(exec, settings.degradedExit, pace, complain);
  const parts = kind === "all" ? all : any;
  return parts === undefined || (kind !== "all" && kind !== "any") ? undefined : { kind, parts };
}

function syslogCheck(settings: Settings, pace: Pace, complain: Complain): CheckConfig | undefined {
  const { syslog: target, readBack, counter = DEFAULTS.counter } = settings;
  if (readBack === undefined)
    complain("is missing: a datagram that was sent proves nothing until it is read back", "readBack");
  else if (settings.counter !== undefined && readBack.includes(TOKEN))
    complain(`does not go with a readBack that has ${TOKEN}`, "counter");
  if (target === undefined || readBack === undefined) return undefined;
  return { kind: "syslog", target, readBack, counter, pace };
}

function execCheck(
  [file = "", ...args]: readonly string[],
  degradedExit: number | undefined,
  pace: Pace,
  complain: Complain,
): CheckConfig {
  if (!file.startsWith("/")) complain("must begin with an absolute path: what a PATH finds may change", "exec");
  return { kind: "exec", command: [file, ...args], degradedExit, pace };
}

function paceOf(settings: Settings, complain: Complain): Pace {
  const interval = settings.interval ?? DEFAULTS.interval;
  const fastInterval = settings.fastInterval ?? (Math.min(interval, DEFAULTS.fastInterval) as Duration);
  if (fastInterval > interval) complain("is longer than interval", "fastInterval");
  return {
    interval,
    fastInterval,
    timeout: settings.timeout ?? DEFAULTS.timeout,
    jitter: settings.jitter ?? DEFAULTS.jitter,
  };
}

/** `{token}` is kept as it stands: it is replaced for each probe. */
function readBackUrl(text: string): string | undefined {
  return addressUrl(text.replaceAll(TOKEN, "token")) === undefined ? undefined : text;
}
