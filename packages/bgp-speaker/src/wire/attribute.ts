import { parseAddress } from "./address.ts";
import { type AsPathSegment, encodeAsPath, needsAs4Path } from "./as-path.ts";
import { ATTRIBUTES } from "./attribute-table.ts";
import { EXTENDED_LENGTH, OPTIONAL, OPTIONAL_TRANSITIVE, TYPE, WELL_KNOWN } from "./attribute-type.ts";
import { ByteWriter, u16, u8 } from "./bytes.ts";
import { encodeLargeCommunities, type LargeCommunity } from "./community.ts";
import { type Decoded, decoded, type FormatError, refused } from "./decoded.ts";
import { encodeExtendedCommunities, type ExtendedCommunity } from "./extended-community.ts";
import { encodeMpReach, encodeMpUnreach, type MpReach, type MpUnreach } from "./multiprotocol.ts";

/** Path attributes, RFC 4271 section 4.3: `flags (1) | type (1) | length (1, or 2 when extended) | value`, repeated. */
export interface PathAttributes {
  /** 0 IGP, 1 EGP, 2 incomplete. */
  readonly origin?: number;
  readonly asPath?: readonly AsPathSegment[];
  readonly nextHop?: string;
  readonly med?: number;
  readonly localPref?: number;
  readonly communities?: readonly number[];
  readonly extendedCommunities?: readonly ExtendedCommunity[];
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

/** Writes the attributes: MP_REACH_NLRI and MP_UNREACH_NLRI first (RFC 7606 section 5.1), the rest by type. */
export function encodeAttributes(attributes: PathAttributes, fourOctet: boolean): Uint8Array {
  const { mpReach, mpUnreach, origin, asPath, nextHop, med, localPref, communities } = attributes;
  const { extendedCommunities, largeCommunities } = attributes;
  const out = new ByteWriter();
  const put = (flags: number, type: number, fill: (value: ByteWriter) => void): void =>
    attribute(out, flags, type, fill);
  if (mpReach !== undefined) put(OPTIONAL, TYPE.mpReach, (value) => encodeMpReach(value, mpReach));
  if (mpUnreach !== undefined) put(OPTIONAL, TYPE.mpUnreach, (value) => encodeMpUnreach(value, mpUnreach));
  if (origin !== undefined) put(WELL_KNOWN, TYPE.origin, (value) => value.u8(origin));
  if (asPath !== undefined) put(WELL_KNOWN, TYPE.asPath, (value) => encodeAsPath(value, asPath, fourOctet));
  if (nextHop !== undefined)
    put(WELL_KNOWN, TYPE.nextHop, (value) => value.bytes(parseAddress(nextHop) ?? new Uint8Array(4)));
  if (med !== undefined) put(OPTIONAL, TYPE.med, (value) => value.u32(med));
  if (localPref !== undefined) put(WELL_KNOWN, TYPE.localPref, (value) => value.u32(localPref));
  if (communities?.length) {
    put(OPTIONAL_TRANSITIVE, TYPE.communities, (value) => {
      for (const community of communities) value.u32(community);
    });
  }
  if (extendedCommunities?.length)
    put(OPTIONAL_TRANSITIVE, TYPE.extendedCommunities, (value) =>
      encodeExtendedCommunities(value, extendedCommunities),
    );
  const as4Path = attributes.as4Path ?? asPath;
  if (!fourOctet && as4Path !== undefined && (attributes.as4Path !== undefined || needsAs4Path(as4Path))) {
    put(OPTIONAL_TRANSITIVE, TYPE.as4Path, (value) => encodeAsPath(value, as4Path, true));
  }
  if (largeCommunities?.length)
    put(OPTIONAL_TRANSITIVE, TYPE.largeCommunities, (value) => encodeLargeCommunities(value, largeCommunities));
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

/** What the reading of attributes depends on: whether the speaker knows AS numbers of four octets, and is in our own AS. */
export interface Sender {
  readonly fourOctet: boolean;
  readonly internal: boolean;
}

export type AttributeDraft = { -readonly [K in keyof PathAttributes]: PathAttributes[K] };

/** Reads all attributes; only what hides the NLRI itself is an error, the rest becomes a problem (RFC 7606). */
export function decodeAttributes(bytes: Uint8Array, sender: Sender): Decoded<DecodedAttributes> {
  const draft: AttributeDraft = {};
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
      : readAttribute(u8(bytes, at), type, bytes.subarray(start, end), draft, sender);
    seen.add(type);
    if (problem !== undefined && "code" in problem) return { ok: false, error: problem };
    if (problem !== undefined) problems.push(problem);
    at = end;
  }
  return decoded({ attributes: draft, problems });
}

/** RFC 7606 section 3(g): the first of a kind counts, except that two lists of NLRI reset the session. */
function repeated(type: number): AttributeProblem | FormatError {
  if (type === TYPE.mpReach || type === TYPE.mpUnreach) return refused(3, 1, `attribute ${type} appears twice`).error;
  return { handling: "attribute-discard", detail: `attribute ${type} appears twice` };
}

function readAttribute(
  flags: number,
  type: number,
  value: Uint8Array,
  draft: AttributeDraft,
  sender: Sender,
): AttributeProblem | FormatError | undefined {
  const spec = ATTRIBUTES.get(type);
  if (spec === undefined) return unknownAttribute(flags, type);
  // RFC 7606 sections 7.5, 7.9 and 7.10: from another AS it is dropped unread, well-formed or not.
  if (spec.internal === true && !sender.internal)
    return { handling: "attribute-discard", detail: `${spec.name} from another AS` };
  const outcome = spec.decode(value, draft, sender.fourOctet);
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
