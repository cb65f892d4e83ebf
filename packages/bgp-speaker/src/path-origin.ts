import type { LargeCommunity } from "./wire/community.ts";

/**
 * Whose path it is that a peer sent: ours come back to us, and must not be taken for another origin's.
 *
 * - `this`: it carries our own mark.
 * - `sibling`: it carries the mark of another instance, which differs from ours in its last number only.
 * - `unmarked`: it begins in our own AS without any mark. A router that strips communities makes our echo look so.
 * - `foreign`: another AS is its origin.
 */
export type PathOrigin = "this" | "sibling" | "unmarked" | "foreign";

/** Without a mark of our own, siblings cannot be told from others. */
export function pathOrigin(
  {
    asPath,
    largeCommunities,
  }: { readonly asPath: readonly number[]; readonly largeCommunities: readonly LargeCommunity[] },
  localAsn: number,
  mark: LargeCommunity | undefined,
): PathOrigin {
  const marks = largeCommunities.filter(({ global, local1 }) => global === mark?.global && local1 === mark.local1);
  if (marks.some(({ local2 }) => local2 === mark?.local2)) return "this";
  if (marks.length > 0) return "sibling";
  // iBGP: an empty path begins in our own AS.
  return (asPath.at(-1) ?? localAsn) === localAsn ? "unmarked" : "foreign";
}
