/** How a router is set up towards our speaker. */
export interface RouterSettings {
  readonly router: { readonly address: string; readonly asn: number };
  readonly speaker: { readonly address: string; readonly asn: number };
  /** TCP-MD5. */
  readonly password?: string;
  /** GTSM for one hop. */
  readonly ttlSecurity?: boolean;
  /** More IPv4 prefixes than this end the session. */
  readonly maxPrefixes?: number;
  /** FRR only: takes and tells nothing without a policy (RFC 8212), and none is configured. */
  readonly requiresPolicy?: boolean;
}

/** A route as a router shows it, in one form for all of them. */
export interface RibEntry {
  readonly nextHop: string;
  readonly asPath: readonly number[];
  readonly med: number | undefined;
  /** Shown where it says something: within one AS. */
  readonly localPref?: number | undefined;
  /** `65535:0` */
  readonly communities: readonly string[];
  /** `65101:1:7` */
  readonly largeCommunities: readonly string[];
}

export interface Router {
  /** The path learned from our speaker; undefined: none. */
  route(prefix: string): Promise<RibEntry | undefined>;
  /** All that the router has written and shows about its neighbour: where a Cease text is looked for. */
  account(): Promise<string>;
  /** Asks our speaker for its routes again, where the program is one of ASKS_AGAIN. */
  refresh(): Promise<void>;
  /** Originates a prefix of its own, where the program is one of CHOOSES_PATHS. */
  originate(prefix: string): Promise<void>;
  /** Refuses hold times shorter than this (s), where the program is one of SETS_A_FLOOR. */
  refuseHoldTimesBelow(floor: number): Promise<void>;
}

export function familyOf(prefix: string): "ipv4" | "ipv6" {
  return prefix.includes(":") ? "ipv6" : "ipv4";
}

/** What a program is not made for; the lists in routers.ts say which is. */
export function cannot(what: string): Promise<never> {
  return Promise.reject(new Error(`not so: ${what}`));
}

export function words(text: string | undefined): string[] {
  return (text ?? "").split(" ").filter((word) => word !== "");
}
