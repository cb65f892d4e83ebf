import type { Negotiated } from "./negotiate.ts";
import { type PathOrigin, pathOrigin } from "./path-origin.ts";
import type { IgnoredReason } from "./reasons.ts";
import type { Family } from "./wire/address.ts";
import { flatten } from "./wire/as-path.ts";
import type { LargeCommunity } from "./wire/community.ts";
import type { ExtendedCommunity } from "./wire/extended-community.ts";
import { canonicalPrefix, formatPrefix, type Prefix } from "./wire/prefix.ts";
import type { Update } from "./wire/update.ts";

/** The path a peer holds for a prefix, as it told us. */
export interface ReceivedPath {
  readonly prefix: Prefix;
  /** AS numbers in order, segment borders forgotten. */
  readonly asPath: readonly number[];
  readonly nextHop: string;
  readonly med?: number;
  readonly localPref?: number;
  readonly communities: readonly number[];
  readonly extendedCommunities: readonly ExtendedCommunity[];
  readonly largeCommunities: readonly LargeCommunity[];
  /** Whether it is our own, come back to us. */
  readonly origin: PathOrigin;
}

interface Known {
  readonly path: ReceivedPath;
  /** All of it but the prefix, to see whether it changes. */
  readonly text: string;
  /** How many refreshes had begun when the peer said it last. */
  round: number;
}

interface Told {
  readonly said: Omit<ReceivedPath, "prefix">;
  readonly text: string;
}

/**
 * What an UPDATE says of its prefixes, worked out when the first of them is wanted and once for all of them: a message
 * can name a watched prefix 800 times.
 */
type Teller = () => Told;

/** Named prefixes whose paths are kept. One message of at most 4096 octets bounds each path. */
export const MAX_WATCHED = 1_024;
/** Paths of prefixes that nobody named (`watchAll`): a peer that sends a full table fills no more memory than this. */
export const MAX_WATCHED_ALL = 10_000;

export interface AdjRibInOptions {
  readonly watch: readonly Prefix[];
  /** Keep the path of any prefix, up to this many (a route monitor's view); 0: watched prefixes only. */
  readonly watchAll: number;
  readonly localAsn: number;
  /** What every advertisement of ours carries, so that our echo is known. */
  readonly mark?: LargeCommunity | undefined;
  readonly onPath: (prefix: Prefix, path: ReceivedPath | undefined) => void;
  readonly onIgnored: (reason: IgnoredReason) => void;
}

/**
 * The paths of the prefixes that the owner asked about, and of no others: a peer that sends a full Internet table
 * costs the time to read it and no memory.
 */
export class AdjRibIn {
  readonly #options: AdjRibInOptions;
  /** By family, so that the end of a refresh walks through no other family's paths. */
  readonly #known: Readonly<Record<Family, Map<string, Known>>> = { ipv4: new Map(), ipv6: new Map() };
  /**
   * Refreshes under way and the round in which each began: what was said last before it has not been repeated (RFC 7313
   * section 4). A begin costs no walk through the paths: a peer can send thousands of them in one read.
   */
  readonly #refreshes = new Map<Family, number>();
  #round = 0;
  #watched: ReadonlySet<string>;

  constructor(options: AdjRibInOptions) {
    this.#options = options;
    this.#watched = watchedKeys(options.watch);
  }

  get paths(): readonly ReceivedPath[] {
    return Object.values(this.#known).flatMap((known) => Array.from(known.values(), ({ path }) => path));
  }

  /** Replaces the watched prefixes; paths of prefixes no longer watched are dropped without an event. */
  watch(prefixes: readonly Prefix[]): void {
    this.#watched = watchedKeys(prefixes);
    if (this.#options.watchAll > 0) return;
    for (const known of Object.values(this.#known)) {
      for (const key of known.keys()) if (!this.#watched.has(key)) known.delete(key);
    }
  }

  /** Takes in one UPDATE. Withdrawals come before announcements, as in RFC 4271 section 4.3. */
  learn(update: Update, { families, internal }: Pick<Negotiated, "families" | "internal">): void {
    for (const problem of update.problems) this.#options.onIgnored(problem.handling);
    const { mpReach, mpUnreach, nextHop } = update.attributes;
    const others = mpReach?.prefixes ?? [];
    const withdrawn = [...update.withdrawn, ...(mpUnreach?.prefixes ?? [])];
    for (const prefix of without(withdrawn, [...update.announced, ...others])) this.#remove(prefix);
    this.#hear(update.announced, this.#teller(update, nextHop, internal), families);
    this.#hear(others, this.#teller(update, mpReach?.nextHop, internal), families);
  }

  /** The peer begins to send all its routes of the family again: what it does not repeat, it has no more. */
  refreshBegun(family: Family): void {
    this.#round += 1;
    this.#refreshes.set(family, this.#round);
  }

  /** The peer has sent them all, or has taken too long over it. An end without a begin means nothing. */
  refreshEnded(family: Family): void {
    const began = this.#refreshes.get(family);
    if (began === undefined) return;
    this.#refreshes.delete(family);
    for (const { path, round } of this.#known[family].values()) if (round < began) this.#remove(path.prefix);
  }

  /** The session ended: every path is gone with it (RFC 4271 section 8.2.2; no graceful restart). */
  forget(): void {
    this.#refreshes.clear();
    for (const { prefix } of this.paths) this.#remove(prefix);
  }

  #hear(prefixes: readonly Prefix[], tell: Teller | undefined, families: readonly Family[]): void {
    for (const prefix of prefixes) {
      if (!families.includes(prefix.family)) this.#options.onIgnored("family-not-negotiated");
      else if (tell === undefined) this.#remove(prefix);
      else this.#put(prefix, tell);
    }
  }

  #put(prefix: Prefix, tell: Teller): void {
    const key = formatPrefix(prefix);
    const { ipv4, ipv6 } = this.#known;
    const known = this.#known[prefix.family].get(key);
    if (!this.#watched.has(key) && known === undefined) {
      if (this.#options.watchAll === 0) return;
      if (ipv4.size + ipv6.size >= this.#options.watchAll) return this.#options.onIgnored("path-limit");
    }
    const { said, text } = tell();
    if (known?.text === text) {
      known.round = this.#round;
      return;
    }
    const path = { prefix, ...said };
    this.#known[prefix.family].set(key, { path, text, round: this.#round });
    this.#options.onPath(prefix, path);
  }

  /** Nothing where the UPDATE's routes count as withdrawn. */
  #teller(update: Update, nextHop: string | undefined, internal: boolean): Teller | undefined {
    const unusable = update.problems.some((problem) => problem.handling === "treat-as-withdraw");
    if (unusable || nextHop === undefined) return undefined;
    const { localAsn, mark } = this.#options;
    let told: Told | undefined;
    return () => (told ??= toldBy(update, nextHop, { internal, localAsn, mark }));
  }

  #remove(prefix: Prefix): void {
    if (this.#known[prefix.family].delete(formatPrefix(prefix))) this.#options.onPath(prefix, undefined);
  }
}

/** RFC 4271 section 4.3: a prefix in both lists counts as announced. */
function without(withdrawn: readonly Prefix[], announced: readonly Prefix[]): readonly Prefix[] {
  if (withdrawn.length === 0 || announced.length === 0) return withdrawn;
  const coming = new Set(announced.map(formatPrefix));
  return withdrawn.filter((prefix) => !coming.has(formatPrefix(prefix)));
}

/** LOCAL_PREF from another AS means nothing (RFC 4271 section 5.1.5). */
function toldBy(
  { attributes }: Update,
  nextHop: string,
  ours: { readonly internal: boolean; readonly localAsn: number; readonly mark: LargeCommunity | undefined },
): Told {
  const { med, localPref, communities = [], extendedCommunities = [], largeCommunities = [] } = attributes;
  const asPath = flatten(attributes.asPath ?? []);
  const said = {
    asPath,
    nextHop,
    ...(med === undefined ? {} : { med }),
    ...(localPref === undefined || !ours.internal ? {} : { localPref }),
    communities,
    extendedCommunities,
    largeCommunities,
    origin: pathOrigin({ asPath, largeCommunities }, ours.localAsn, ours.mark),
  };
  return { said, text: JSON.stringify(said) };
}

/** Throws RangeError on too many, and on one that no path could ever have. */
function watchedKeys(prefixes: readonly Prefix[]): ReadonlySet<string> {
  if (prefixes.length > MAX_WATCHED)
    throw new RangeError(`${prefixes.length} watched prefixes, at most ${MAX_WATCHED}`);
  return new Set(prefixes.map((prefix) => formatPrefix(watchable(prefix))));
}

function watchable(prefix: Prefix): Prefix {
  const canonical = canonicalPrefix(prefix);
  if (canonical !== undefined) return canonical;
  throw new RangeError(`watched prefix ${formatPrefix(prefix)}: not a prefix, or host bits are set`);
}
