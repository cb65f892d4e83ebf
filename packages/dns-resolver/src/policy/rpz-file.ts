import type { Problem } from "@stitch/config";
import { parseTtl, relative, type Field } from "../local/rdata-text.ts";
import { MOST_PROBLEMS } from "../local/read-text.ts";
import { zoneEntries, type Entry } from "../local/zone-lexer.ts";
import type { Steps } from "../sliced.ts";
import { formatName, isBelow, lowerName, parseName } from "../wire/name.ts";
import { parseIPv4, parseIPv6 } from "@stitch/linux-io";
import { MOST_ADDRESSES, type PolicyAddresses, type PolicyBuilder } from "./policy-builder.ts";
import { POLICY_ACTION, SCOPE, type PolicyAction } from "./policy-table.ts";

/** Seconds, where the file has no $TTL. */
const DEFAULT_TTL = 60;
const ROOT = Uint8Array.of(0);
/** Owners below these say something about addresses or servers, not about names. */
const OTHER_TRIGGERS = ["rpz-ip", "rpz-client-ip", "rpz-nsdname", "rpz-nsip"].map((label) => parseName(label) ?? ROOT);

/** Targets of a CNAME that are orders (draft-vixie-dnsop-dns-rpz section 3). */
const ORDERS: ReadonlyMap<string, PolicyAction> = new Map([
  [".", POLICY_ACTION.nxdomain],
  ["*.", POLICY_ACTION.nodata],
  ["rpz-passthru.", POLICY_ACTION.passthru],
]);

interface State {
  origin: Uint8Array;
  ttl: number;
  apex: Uint8Array | undefined;
  owner: Uint8Array | undefined;
  readonly addresses: Map<string, { scope: number; name: Uint8Array; data: PolicyAddresses }>;
  readonly problems: Problem[];
}

/**
 * A response policy zone: names, wildcards too, and for each NXDOMAIN (`CNAME .`), NODATA (`CNAME *.`), an exception
 * (`CNAME rpz-passthru.`) or addresses. What this subset has not is an error with its line: a policy that is applied in
 * part is not the policy that somebody wrote.
 */
export function* readRpz(text: string, policy: number, into: PolicyBuilder): Steps<Problem[]> {
  const state: State = {
    origin: ROOT,
    ttl: DEFAULT_TTL,
    apex: undefined,
    owner: undefined,
    addresses: new Map(),
    problems: [],
  };
  for (const entry of zoneEntries(text)) {
    yield;
    const message = "message" in entry ? entry.message : readEntry(entry, state, policy, into);
    if (message !== undefined) state.problems.push({ path: "", line: entry.line, message });
    if (state.problems.length >= MOST_PROBLEMS) return state.problems;
  }
  for (const { name, scope, data } of state.addresses.values()) {
    yield;
    into.add(policy, name, POLICY_ACTION.address, scope, data);
  }
  if (state.apex === undefined && state.problems.length === 0)
    state.problems.push({ path: "", line: 1, message: "no SOA record: a policy zone begins with one" });
  return state.problems;
}

function readEntry(entry: Entry, state: State, policy: number, into: PolicyBuilder): string | undefined {
  const [first, argument] = entry.fields;
  if (entry.indented || first?.text.startsWith("$") !== true) return readRecord(entry, state, policy, into);
  if (first.text === "$TTL") {
    const ttl = parseTtl(argument?.text ?? "");
    state.ttl = ttl ?? state.ttl;
    return ttl === undefined ? `$TTL ${argument?.text ?? ""} is not a number of seconds` : undefined;
  }
  const origin = first.text === "$ORIGIN" ? relative(argument?.text ?? "", state.origin) : undefined;
  if (origin === undefined) return `${first.text} ${argument?.text ?? ""} cannot be used here`;
  state.origin = origin;
  return undefined;
}

/** [owner] [TTL] [class] type data. */
function readRecord(
  { indented, fields }: Entry,
  state: State,
  policy: number,
  into: PolicyBuilder,
): string | undefined {
  const rest = [...fields];
  if (!indented) state.owner = relative(rest.shift()?.text ?? "", state.origin);
  if (state.owner === undefined) return `${JSON.stringify(fields[0]?.text ?? "")} is not a name`;
  let ttl = state.ttl;
  for (let i = 0; i < 2 && /^(\d.*|IN)$/i.test(rest[0]?.text ?? ""); i += 1)
    ttl = parseTtl(rest.shift()?.text ?? "") ?? ttl;
  const type = rest.shift()?.text.toUpperCase() ?? "";
  const owner = lowerName(state.owner);
  if (type === "SOA") {
    state.apex ??= owner;
    return undefined;
  }
  if (state.apex === undefined) return "stands before the SOA record";
  if (type === "NS" && owner.length === state.apex.length) return undefined;
  const trigger = triggerOf(owner, state.apex);
  if (typeof trigger === "string") return trigger;
  if (type === "CNAME") return order(trigger, rest, state, policy, into);
  if (type === "A" || type === "AAAA") return address(trigger, type, rest, ttl, state);
  return `${type} is no order of this subset: CNAME, A or AAAA`;
}

interface Trigger {
  readonly name: Uint8Array;
  readonly scope: number;
}

/** The owner without the zone's own name. */
function triggerOf(owner: Uint8Array, apex: Uint8Array): Trigger | string {
  if (!isBelow(owner, apex) || owner.length === apex.length)
    return `${formatName(owner)} is not below ${formatName(apex)}`;
  const relativeOwner = Uint8Array.from([...owner.subarray(0, owner.length - apex.length), 0]);
  if (OTHER_TRIGGERS.some((other) => isBelow(relativeOwner, other)))
    return `${formatName(relativeOwner)} is no name: triggers by address or server are not supported`;
  const wildcard = relativeOwner[0] === 1 && relativeOwner[1] === ASTERISK;
  return { name: wildcard ? relativeOwner.subarray(2) : relativeOwner, scope: wildcard ? SCOPE.below : SCOPE.self };
}

const ASTERISK = 0x2a;

function order(
  { name, scope }: Trigger,
  fields: readonly Field[],
  { origin }: State,
  policy: number,
  into: PolicyBuilder,
): string | undefined {
  const text = fields[0]?.text ?? "";
  const target = relative(text, origin);
  // The older form of an exception: the name leads to itself.
  const itself = target !== undefined && Buffer.compare(lowerName(target), name) === 0;
  const action = ORDERS.get(text.toLowerCase()) ?? (itself ? POLICY_ACTION.passthru : undefined);
  if (action === undefined) return `CNAME ${text} is no order of this subset: ${[...ORDERS.keys()].join(", ")}`;
  into.add(policy, name, action, scope);
  return undefined;
}

/** Several records of a name are one answer. */
function address(
  { name, scope }: Trigger,
  type: "A" | "AAAA",
  fields: readonly Field[],
  ttl: number,
  state: State,
): string | undefined {
  const text = fields[0]?.text ?? "";
  const bytes = type === "A" ? parseIPv4(text) : parseIPv6(text);
  if (bytes === undefined || fields.length !== 1) return `${type} needs one address`;
  const key = `${scope} ${Buffer.from(name).toString("latin1")}`;
  const known = state.addresses.get(key) ?? { name, scope, data: { ttl, ipv4: [], ipv6: [] } };
  state.addresses.set(key, known);
  const family = type === "A" ? known.data.ipv4 : known.data.ipv6;
  family.push(bytes);
  return family.length <= MOST_ADDRESSES ? undefined : `${formatName(name)} has more than ${MOST_ADDRESSES} addresses`;
}
