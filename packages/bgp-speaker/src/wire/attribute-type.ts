/** Bits of an attribute's flags (RFC 4271 section 4.3). */
export const OPTIONAL = 0x80;
const TRANSITIVE = 0x40;
export const EXTENDED_LENGTH = 0x10;
export const WELL_KNOWN = TRANSITIVE;
export const OPTIONAL_TRANSITIVE = OPTIONAL | TRANSITIVE;

/** Type codes of the attributes that are written as well as read. */
export const TYPE = {
  origin: 1,
  asPath: 2,
  nextHop: 3,
  med: 4,
  localPref: 5,
  communities: 8,
  mpReach: 14,
  mpUnreach: 15,
  extendedCommunities: 16,
  as4Path: 17,
  largeCommunities: 32,
} as const;
