import { formatAddress, parseAddress } from "./address.ts";
import { type AsPathSegment, decodeAsPath, encodeAsPath, needsAs4Path } from "./as-path.ts";
import { ByteWriter, u16, u32, u8 } from "./bytes.ts";
import { decodeCommunities, decodeLargeCommunities, encodeLargeCommunities, type LargeCommunity } from "./community.ts";
import { type Decoded, decoded, type FormatError, refused } from "./decoded.ts";
import {
  decodeMpReach,
  decodeMpUnreach,
  encodeMpReach,
  encodeMpUnreach,
  type MpReach,
  type MpUnreach,
} from "./multiprotocol.ts";

/** Path attributes, RFC 4271 section 4.3: `flags (1) | type (1) | length (1, or 2 when extended) | value`, repeated. */
export interface PathAttributes {
  /** 0 IGP, 1 EGP, 2 incomplete. */
  readonly origin?: number;
  readonly asPath?: readonly AsPathSegment[];
  readonly nextHop?: string;
  readonly med?: number;
  readonly localPref?: number;
  readonly communities?: readonly number[];
  readonly largeCommunities?: readonly LargeCommunity[];
  readonly mpReach?: MpReach;
  readonly mpUnreach?: MpUnreach;
  readonly as4Path?: readonly AsPathSegment[];
}

/** RFC 7606 section 2: what a bad attribute costs. `session-reset` is the error itself. */
export interface AttributeProblem {
  readonly handling: "treat-as-withdraw" | "attribute-discard";
  readonly detail: string;
}

type Draft = { -readonly [K in keyof PathAttributes]: PathAttributes[K] };
type Outcome = string | FormatError | undefined;

interface AttributeSpec {
  readonly name: string;
  /** Optional and transitive bits (0x80, 0x40) as this type must carry them. */
  readonly flags: number;
  readonly handling: AttributeProblem["handling"];
  /** Puts the value into the draft; a string is why it is malformed, an error resets the session. */
  readonly decode: (value: Uint8Array, draft: Draft, fourOctet: boolean) => Outcome;
}

const OPTIONAL = 0x80;
const TRANSITIVE = 0x40;
const EXTENDED_LENGTH = 0x10;
const WELL_KNOWN = TRANSITIVE;
const OPTIONAL_TRANSITIVE = OPTIONAL | TRANSITIVE;

const MP_REACH = 14;
const MP_UNREACH = 15;

/** One row per type that is read. Types without a row are passed over: optional ones by right, see `unknownAttribute`. */
const ATTRIBUTES: ReadonlyMap<number, AttributeSpec> = new Map<number, AttributeSpec>([
  [1, { name: "ORIGIN", flags: WELL_KNOWN, handling: "treat-as-withdraw", decode: decodeOrigin }],
  [2, { name: "AS_PATH", flags: WELL_KNOWN, handling: "treat-as-withdraw", decode: decodeAsPathInto }],
  [3, { name: "NEXT_HOP", flags: WELL_KNOWN, handling: "treat-as-withdraw", decode: decodeNextHop }],
  [4, { name: "MULTI_EXIT_DISC", flags: OPTIONAL, handling: "treat-as-withdraw", decode: decodeMed }],
  [5, { name: "LOCAL_PREF", flags: WELL_KNOWN, handling: "treat-as-withdraw", decode: decodeLocalPref }],
  [6, { name: "ATOMIC_AGGREGATE", flags: WELL_KNOWN, handling: "attribute-discard", decode: exactly(0) }],
  [7, { name: "AGGREGATOR", flags: OPTIONAL_TRANSITIVE, handling: "attribute-discard", decode: decodeAggregator }],
  [
    8,
    { name: "COMMUNITIES", flags: OPTIONAL_TRANSITIVE, handling: "treat-as-withdraw", decode: decodeCommunitiesInto },
  ],
  [MP_REACH, { name: "MP_REACH_NLRI", flags: OPTIONAL, handling: "treat-as-withdraw", decode: decodeMpReachInto }],
  [
    MP_UNREACH,
    { name: "MP_UNREACH_NLRI", flags: OPTIONAL, handling: "treat-as-withdraw", decode: decodeMpUnreachInto },
  ],
  [17, { name: "AS4_PATH", flags: OPTIONAL_TRANSITIVE, handling: "attribute-discard", decode: decodeAs4Path }],
  [18, { name: "AS4_AGGREGATOR", flags: OPTIONAL_TRANSITIVE, handling: "attribute-discard", decode: exactly(8) }],
  [32, { name: "LARGE_COMMUNITY", flags: OPTIONAL_TRANSITIVE, handling: "treat-as-withdraw", decode: decodeLargeInto }],
]);

/** Writes the attributes: MP_REACH_NLRI and MP_UNREACH_NLRI first (RFC 7606 section 5.1), the rest by type. */
export function encodeAttributes(attributes: PathAttributes, fourOctet: boolean): Uint8Array {
  const { mpReach, mpUnreach, origin, asPath, nextHop, med, localPref, communities, largeCommunities } = attributes;
  const out = new ByteWriter();
  const put = (flags: number, type: number, fill: (value: ByteWriter) => void): void =>
    attribute(out, flags, type, fill);
  if (mpReach !== undefined) put(OPTIONAL, MP_REACH, (value) => encodeMpReach(value, mpReach));
  if (mpUnreach !== undefined) put(OPTIONAL, MP_UNREACH, (value) => encodeMpUnreach(value, mpUnreach));
  if (origin !== undefined) put(WELL_KNOWN, 1, (value) => value.u8(origin));
  if (asPath !== undefined) put(WELL_KNOWN, 2, (value) => encodeAsPath(value, asPath, fourOctet));
  if (nextHop !== undefined) put(WELL_KNOWN, 3, (value) => value.bytes(parseAddress(nextHop) ?? new Uint8Array(4)));
  if (med !== undefined) put(OPTIONAL, 4, (value) => value.u32(med));
  if (localPref !== undefined) put(WELL_KNOWN, 5, (value) => value.u32(localPref));
  if (communities?.length) {
    put(OPTIONAL_TRANSITIVE, 8, (value) => {
      for (const community of communities) value.u32(community);
    });
  }
  const as4Path = attributes.as4Path ?? asPath;
  if (!fourOctet && as4Path !== undefined && (attributes.as4Path !== undefined || needsAs4Path(as4Path))) {
    put(OPTIONAL_TRANSITIVE, 17, (value) => encodeAsPath(value, as4Path, true));
  }
  if (largeCommunities?.length)
    put(OPTIONAL_TRANSITIVE, 32, (value) => encodeLargeCommunities(value, largeCommunities));
  return out.finish();
}

function attribute(out: ByteWriter, flags: number, type: number, fill: (value: ByteWriter) => void): void {
  const writer = new ByteWriter();
  fill(writer);
  const value = writer.finish();
  if (value.length > 255)
    out
      .u8(flags | EXTENDED_LENGTH)
      .u8(type)
      .u16(value.length)
      .bytes(value);
  else out.u8(flags).u8(type).u8(value.length).bytes(value);
}

export interface DecodedAttributes {
  readonly attributes: PathAttributes;
  readonly problems: readonly AttributeProblem[];
}

/** Reads all attributes; only what hides the NLRI itself is an error, the rest becomes a problem (RFC 7606). */
export function decodeAttributes(bytes: Uint8Array, fourOctet: boolean): Decoded<DecodedAttributes> {
  const draft: Draft = {};
  const problems: AttributeProblem[] = [];
  const seen = new Set<number>();
  for (let at = 0; at < bytes.length;) {
    const extended = (u8(bytes, at) & EXTENDED_LENGTH) !== 0;
    const start = at + (extended ? 4 : 3);
    const end = start + (extended ? u16(bytes, at + 2) : u8(bytes, at + 2));
    if (start > bytes.length || end > bytes.length) {
      problems.push({ handling: "treat-as-withdraw", detail: "attribute runs past the attribute list" });
      break;
    }
    const type = u8(bytes, at + 1);
    const problem = seen.has(type)
      ? repeated(type)
      : readAttribute(u8(bytes, at), type, bytes.subarray(start, end), draft, fourOctet);
    seen.add(type);
    if (problem !== undefined && "code" in problem) return { ok: false, error: problem };
    if (problem !== undefined) problems.push(problem);
    at = end;
  }
  return decoded({ attributes: draft, problems });
}

/** RFC 7606 section 3(g): the first of a kind counts, except that two lists of NLRI reset the session. */
function repeated(type: number): AttributeProblem | FormatError {
  if (type === MP_REACH || type === MP_UNREACH) return refused(3, 1, `attribute ${type} appears twice`).error;
  return { handling: "attribute-discard", detail: `attribute ${type} appears twice` };
}

function readAttribute(
  flags: number,
  type: number,
  value: Uint8Array,
  draft: Draft,
  fourOctet: boolean,
): AttributeProblem | FormatError | undefined {
  const spec = ATTRIBUTES.get(type);
  if (spec === undefined) return unknownAttribute(flags, type);
  const outcome = spec.decode(value, draft, fourOctet);
  if (typeof outcome === "object") return outcome;
  if (outcome !== undefined) return { handling: spec.handling, detail: outcome };
  if ((flags & OPTIONAL_TRANSITIVE) === spec.flags) return undefined;
  return { handling: "treat-as-withdraw", detail: `${spec.name} with flags 0x${flags.toString(16)}` };
}

/** An unknown optional attribute is none of our business; one that claims to be well-known cannot be honoured. */
function unknownAttribute(flags: number, type: number): AttributeProblem | undefined {
  if ((flags & OPTIONAL) !== 0) return undefined;
  return { handling: "treat-as-withdraw", detail: `unknown well-known attribute ${type}` };
}

function exactly(length: number): AttributeSpec["decode"] {
  return (value) => (value.length === length ? undefined : `attribute of ${value.length} octets`);
}

function decodeOrigin(value: Uint8Array, draft: Draft): Outcome {
  if (value.length !== 1 || u8(value, 0) > 2) return "ORIGIN is not IGP, EGP or incomplete";
  draft.origin = u8(value, 0);
  return undefined;
}

function decodeAsPathInto(value: Uint8Array, draft: Draft, fourOctet: boolean): Outcome {
  const path = decodeAsPath(value, fourOctet);
  if (typeof path === "string") return path;
  draft.asPath = path;
  return undefined;
}

/** RFC 6793 section 4.1: between two four-octet speakers AS4_PATH has no meaning. */
function decodeAs4Path(value: Uint8Array, draft: Draft, fourOctet: boolean): Outcome {
  if (fourOctet) return "AS4_PATH from a four-octet speaker";
  const path = decodeAsPath(value, true);
  if (typeof path === "string") return path;
  draft.as4Path = path;
  return undefined;
}

function decodeNextHop(value: Uint8Array, draft: Draft): Outcome {
  if (value.length !== 4) return `NEXT_HOP of ${value.length} octets`;
  draft.nextHop = formatAddress(value);
  return undefined;
}

function decodeMed(value: Uint8Array, draft: Draft): Outcome {
  if (value.length !== 4) return `MULTI_EXIT_DISC of ${value.length} octets`;
  draft.med = u32(value, 0);
  return undefined;
}

function decodeLocalPref(value: Uint8Array, draft: Draft): Outcome {
  if (value.length !== 4) return `LOCAL_PREF of ${value.length} octets`;
  draft.localPref = u32(value, 0);
  return undefined;
}

function decodeAggregator(value: Uint8Array, _draft: Draft, fourOctet: boolean): Outcome {
  return exactly(fourOctet ? 8 : 6)(value, {}, fourOctet);
}

function decodeCommunitiesInto(value: Uint8Array, draft: Draft): Outcome {
  const communities = decodeCommunities(value);
  if (typeof communities === "string") return communities;
  draft.communities = communities;
  return undefined;
}

function decodeLargeInto(value: Uint8Array, draft: Draft): Outcome {
  const communities = decodeLargeCommunities(value);
  if (typeof communities === "string") return communities;
  draft.largeCommunities = communities;
  return undefined;
}

function decodeMpReachInto(value: Uint8Array, draft: Draft): Outcome {
  const reach = decodeMpReach(value);
  if (!reach.ok) return reach.error;
  draft.mpReach = reach.value;
  return undefined;
}

function decodeMpUnreachInto(value: Uint8Array, draft: Draft): Outcome {
  const unreach = decodeMpUnreach(value);
  if (!unreach.ok) return unreach.error;
  draft.mpUnreach = unreach.value;
  return undefined;
}
