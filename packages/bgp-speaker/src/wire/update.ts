import type { Family } from "./address.ts";
import { mergeAs4Path } from "./as-path.ts";
import {
  type AttributeProblem,
  decodeAttributes,
  encodeAttributes,
  type PathAttributes,
  type Sender,
} from "./attribute.ts";
import { ByteWriter, u16 } from "./bytes.ts";
import { type Decoded, decoded, NO_BYTES, refused } from "./decoded.ts";
import { encodeMessage, HEADER_BYTES, MAX_MESSAGE_BYTES } from "./header.ts";
import { decodeNlri, encodeNlri, nlriSize, type Prefix } from "./prefix.ts";

/**
 * UPDATE, RFC 4271 section 4.3.
 *
 *     0                2                    ...                     ...
 *     | withdrawn len  | withdrawn NLRI ... | attributes len (2) | attributes ... | NLRI to the end
 *
 * The two plain fields are IPv4; every other family travels in MP_REACH_NLRI and MP_UNREACH_NLRI.
 */
export interface Update {
  readonly withdrawn: readonly Prefix[];
  readonly attributes: PathAttributes;
  readonly announced: readonly Prefix[];
  /** RFC 7606: what was wrong with the attributes. With a `treat-as-withdraw`, what is announced is withdrawn. */
  readonly problems: readonly AttributeProblem[];
}

/** Octets of an UPDATE that are neither NLRI nor attributes. */
const OVERHEAD = HEADER_BYTES + 4;
/** Type, flags, extended length, AFI, SAFI, next hop of 16 with its length, reserved: what MP attributes add to NLRI. */
const MP_OVERHEAD = 4 + 3 + 1 + 16 + 1;

export function encodeUpdate(update: Omit<Update, "problems">, fourOctet: boolean): Uint8Array {
  const withdrawn = nlri(update.withdrawn);
  const attributes = encodeAttributes(update.attributes, fourOctet);
  const body = new ByteWriter(MAX_MESSAGE_BYTES)
    .u16(withdrawn.length)
    .bytes(withdrawn)
    .u16(attributes.length)
    .bytes(attributes)
    .bytes(nlri(update.announced));
  return encodeMessage("update", body.finish());
}

/** As few UPDATEs as carry these prefixes of one family with the same attributes; the next hop is the family's own. */
export function encodeAnnouncements(
  attributes: PathAttributes & { readonly nextHop: string },
  prefixes: readonly Prefix[],
  family: Family,
  fourOctet: boolean,
): Uint8Array[] {
  const { nextHop, ...rest } = attributes;
  const fixed = encodeAttributes(attributes, fourOctet).length;
  return batches(prefixes, family, fixed).map((batch) =>
    family === "ipv4"
      ? encodeUpdate({ withdrawn: [], attributes, announced: batch }, fourOctet)
      : encodeUpdate(
          { withdrawn: [], attributes: { ...rest, mpReach: { family, nextHop, prefixes: batch } }, announced: [] },
          fourOctet,
        ),
  );
}

export function encodeWithdrawals(prefixes: readonly Prefix[], family: Family): Uint8Array[] {
  return batches(prefixes, family, 0).map((batch) =>
    family === "ipv4"
      ? encodeUpdate({ withdrawn: batch, attributes: {}, announced: [] }, true)
      : encodeUpdate({ withdrawn: [], attributes: { mpUnreach: { family, prefixes: batch } }, announced: [] }, true),
  );
}

/** RFC 4724 section 2: an UPDATE that says nothing, once the whole table has been sent. */
export function encodeEndOfRib(family: Family): Uint8Array {
  const attributes: PathAttributes = family === "ipv4" ? {} : { mpUnreach: { family, prefixes: [] } };
  return encodeUpdate({ withdrawn: [], attributes, announced: [] }, true);
}

/** The family whose initial table is complete, if that is what the UPDATE says. */
export function endOfRib(update: Update): Family | undefined {
  const { mpUnreach, mpReach } = update.attributes;
  const silent = update.withdrawn.length + update.announced.length + update.problems.length === 0;
  if (!silent || mpReach !== undefined) return undefined;
  if (mpUnreach === undefined) return Object.keys(update.attributes).length === 0 ? "ipv4" : undefined;
  return mpUnreach.prefixes.length === 0 ? mpUnreach.family : undefined;
}

/** Reads an UPDATE. An error means that the routes meant cannot be known, and resets the session (RFC 7606 section 3). */
export function decodeUpdate(body: Uint8Array, sender: Sender): Decoded<Update> {
  const attributesAt = 2 + u16(body, 0);
  if (attributesAt + 2 > body.length) return refused(3, 1, "withdrawn routes run past the message");
  const nlriAt = attributesAt + 2 + u16(body, attributesAt);
  if (nlriAt > body.length) return refused(3, 1, "path attributes run past the message");
  const withdrawn = decodeNlri(body.subarray(2, attributesAt), "ipv4");
  if (!withdrawn.ok) return withdrawn;
  const announced = decodeNlri(body.subarray(nlriAt), "ipv4");
  if (!announced.ok) return announced;
  const read = decodeAttributes(body.subarray(attributesAt + 2, nlriAt), sender);
  if (!read.ok) return read;
  const { asPath, as4Path, ...rest } = read.value.attributes;
  const path = asPath !== undefined && as4Path !== undefined ? mergeAs4Path(asPath, as4Path) : asPath;
  const attributes = path === undefined ? rest : { ...rest, asPath: path };
  const bad = read.value.problems.find((problem) => problem.handling === "treat-as-withdraw");
  const reaches = announced.value.length > 0 || reachesOthers(attributes);
  if (bad !== undefined && !reaches) return refused(3, 1, `${bad.detail}, and no route to withdraw for it`);
  const missing = bad === undefined && reaches ? missingAttributes(attributes, announced.value.length > 0) : [];
  const problems = [...read.value.problems, ...missing];
  return decoded({ withdrawn: withdrawn.value, attributes, announced: announced.value, problems });
}

/** RFC 7606 section 5.2: with a bad attribute and no NLRI, what the error has swallowed may be the NLRI. */
function reachesOthers({ mpReach }: PathAttributes): boolean {
  return mpReach !== undefined && (mpReach.family === undefined || mpReach.prefixes.length > 0);
}

/** RFC 7606 section 3(d): a route without a mandatory attribute is withdrawn. */
function missingAttributes(attributes: PathAttributes, needsNextHop: boolean): AttributeProblem[] {
  const missing = [
    ...(attributes.origin === undefined ? ["ORIGIN"] : []),
    ...(attributes.asPath === undefined ? ["AS_PATH"] : []),
    ...(needsNextHop && attributes.nextHop === undefined ? ["NEXT_HOP"] : []),
  ];
  return missing.map((name) => ({ handling: "treat-as-withdraw", detail: `${name} is missing` }));
}

function nlri(prefixes: readonly Prefix[]): Uint8Array {
  if (prefixes.length === 0) return NO_BYTES;
  const writer = new ByteWriter(prefixes.length * 5);
  encodeNlri(writer, prefixes);
  return writer.finish();
}

function batches(prefixes: readonly Prefix[], family: Family, attributeBytes: number): (readonly Prefix[])[] {
  const room = MAX_MESSAGE_BYTES - OVERHEAD - attributeBytes - (family === "ipv6" ? MP_OVERHEAD : 0);
  const size = Math.max(1, Math.floor(room / nlriSize(family)));
  const found: (readonly Prefix[])[] = [];
  for (let at = 0; at < prefixes.length; at += size) found.push(prefixes.slice(at, at + size));
  return found;
}
