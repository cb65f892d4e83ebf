import { formatAddress } from "./address.ts";
import { decodeAsPath } from "./as-path.ts";
import type { AttributeDraft, AttributeProblem } from "./attribute.ts";
import { OPTIONAL, OPTIONAL_TRANSITIVE, TYPE, WELL_KNOWN } from "./attribute-type.ts";
import { u32, u8 } from "./bytes.ts";
import { decodeCommunities, decodeLargeCommunities } from "./community.ts";
import type { FormatError } from "./decoded.ts";
import { decodeExtendedCommunities } from "./extended-community.ts";
import { decodeMpReach, decodeMpUnreach } from "./multiprotocol.ts";

type Outcome = string | FormatError | undefined;

interface AttributeSpec {
  readonly name: string;
  /** Optional and transitive bits (0x80, 0x40) as this type must carry them. */
  readonly flags: number;
  readonly handling: AttributeProblem["handling"];
  /** Means something within one AS only. */
  readonly internal?: true;
  /** Puts the value into the draft; a string is why it is malformed, an error resets the session. */
  readonly decode: (value: Uint8Array, draft: AttributeDraft, fourOctet: boolean) => Outcome;
}

/**
 * One row per type that is read; how a malformed one is handled is RFC 7606 section 7. Types without a row are passed over:
 * optional ones by right, see `unknownAttribute`.
 */
export const ATTRIBUTES: ReadonlyMap<number, AttributeSpec> = new Map<number, AttributeSpec>([
  [TYPE.origin, { name: "ORIGIN", flags: WELL_KNOWN, handling: "treat-as-withdraw", decode: decodeOrigin }],
  [TYPE.asPath, { name: "AS_PATH", flags: WELL_KNOWN, handling: "treat-as-withdraw", decode: decodeAsPathInto }],
  [TYPE.nextHop, { name: "NEXT_HOP", flags: WELL_KNOWN, handling: "treat-as-withdraw", decode: decodeNextHop }],
  [TYPE.med, { name: "MULTI_EXIT_DISC", flags: OPTIONAL, handling: "treat-as-withdraw", decode: decodeMed }],
  [
    TYPE.localPref,
    { name: "LOCAL_PREF", flags: WELL_KNOWN, handling: "treat-as-withdraw", internal: true, decode: decodeLocalPref },
  ],
  [6, { name: "ATOMIC_AGGREGATE", flags: WELL_KNOWN, handling: "attribute-discard", decode: exactly(0) }],
  [7, { name: "AGGREGATOR", flags: OPTIONAL_TRANSITIVE, handling: "attribute-discard", decode: decodeAggregator }],
  [
    TYPE.communities,
    { name: "COMMUNITIES", flags: OPTIONAL_TRANSITIVE, handling: "treat-as-withdraw", decode: decodeCommunitiesInto },
  ],
  [9, { name: "ORIGINATOR_ID", flags: OPTIONAL, handling: "treat-as-withdraw", internal: true, decode: exactly(4) }],
  [10, { name: "CLUSTER_LIST", flags: OPTIONAL, handling: "treat-as-withdraw", internal: true, decode: someOf(4) }],
  [TYPE.mpReach, { name: "MP_REACH_NLRI", flags: OPTIONAL, handling: "treat-as-withdraw", decode: decodeMpReachInto }],
  [
    TYPE.mpUnreach,
    { name: "MP_UNREACH_NLRI", flags: OPTIONAL, handling: "treat-as-withdraw", decode: decodeMpUnreachInto },
  ],
  [
    TYPE.extendedCommunities,
    {
      name: "EXTENDED COMMUNITIES",
      flags: OPTIONAL_TRANSITIVE,
      handling: "treat-as-withdraw",
      decode: decodeExtendedInto,
    },
  ],
  [
    TYPE.as4Path,
    { name: "AS4_PATH", flags: OPTIONAL_TRANSITIVE, handling: "attribute-discard", decode: decodeAs4Path },
  ],
  [18, { name: "AS4_AGGREGATOR", flags: OPTIONAL_TRANSITIVE, handling: "attribute-discard", decode: exactly(8) }],
  [
    25,
    {
      name: "IPV6 EXTENDED COMMUNITIES",
      flags: OPTIONAL_TRANSITIVE,
      handling: "treat-as-withdraw",
      decode: someOf(20),
    },
  ],
  [
    TYPE.largeCommunities,
    { name: "LARGE_COMMUNITY", flags: OPTIONAL_TRANSITIVE, handling: "treat-as-withdraw", decode: decodeLargeInto },
  ],
]);

function exactly(length: number): AttributeSpec["decode"] {
  return (value) => (value.length === length ? undefined : `attribute of ${value.length} octets`);
}

/** A list of at least one. */
function someOf(size: number): AttributeSpec["decode"] {
  return (value) =>
    value.length > 0 && value.length % size === 0 ? undefined : `list of ${size} octets each in ${value.length}`;
}

function decodeOrigin(value: Uint8Array, draft: AttributeDraft): Outcome {
  if (value.length !== 1 || u8(value, 0) > 2) return "ORIGIN is not IGP, EGP or incomplete";
  draft.origin = u8(value, 0);
  return undefined;
}

function decodeAsPathInto(value: Uint8Array, draft: AttributeDraft, fourOctet: boolean): Outcome {
  const path = decodeAsPath(value, fourOctet);
  if (typeof path === "string") return path;
  draft.asPath = path;
  return undefined;
}

/** RFC 6793 section 4.1: between two four-octet speakers AS4_PATH has no meaning. */
function decodeAs4Path(value: Uint8Array, draft: AttributeDraft, fourOctet: boolean): Outcome {
  if (fourOctet) return "AS4_PATH from a four-octet speaker";
  const path = decodeAsPath(value, true);
  if (typeof path === "string") return path;
  draft.as4Path = path;
  return undefined;
}

function decodeNextHop(value: Uint8Array, draft: AttributeDraft): Outcome {
  if (value.length !== 4) return `NEXT_HOP of ${value.length} octets`;
  draft.nextHop = formatAddress(value);
  return undefined;
}

function decodeMed(value: Uint8Array, draft: AttributeDraft): Outcome {
  if (value.length !== 4) return `MULTI_EXIT_DISC of ${value.length} octets`;
  draft.med = u32(value, 0);
  return undefined;
}

function decodeLocalPref(value: Uint8Array, draft: AttributeDraft): Outcome {
  if (value.length !== 4) return `LOCAL_PREF of ${value.length} octets`;
  draft.localPref = u32(value, 0);
  return undefined;
}

function decodeAggregator(value: Uint8Array, _draft: AttributeDraft, fourOctet: boolean): Outcome {
  return exactly(fourOctet ? 8 : 6)(value, {}, fourOctet);
}

function decodeCommunitiesInto(value: Uint8Array, draft: AttributeDraft): Outcome {
  const communities = decodeCommunities(value);
  if (typeof communities === "string") return communities;
  draft.communities = communities;
  return undefined;
}

function decodeExtendedInto(value: Uint8Array, draft: AttributeDraft): Outcome {
  const communities = decodeExtendedCommunities(value);
  if (typeof communities === "string") return communities;
  draft.extendedCommunities = communities;
  return undefined;
}

function decodeLargeInto(value: Uint8Array, draft: AttributeDraft): Outcome {
  const communities = decodeLargeCommunities(value);
  if (typeof communities === "string") return communities;
  draft.largeCommunities = communities;
  return undefined;
}

function decodeMpReachInto(value: Uint8Array, draft: AttributeDraft): Outcome {
  const reach = decodeMpReach(value);
  if (!reach.ok) return reach.error;
  draft.mpReach = reach.value;
  return undefined;
}

function decodeMpUnreachInto(value: Uint8Array, draft: AttributeDraft): Outcome {
  const unreach = decodeMpUnreach(value);
  if (!unreach.ok) return unreach.error;
  draft.mpUnreach = unreach.value;
  return undefined;
}
