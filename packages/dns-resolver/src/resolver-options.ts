import type { AllowList } from "./allow-list.ts";
import type { Cache } from "./cache.ts";
import type { ClientBudget } from "./client-budget.ts";
import type { Cookies } from "./cookies.ts";
import type { LocalZone } from "./local/local-zone.ts";
import type { PolicyJudge } from "./policy/policy-judge.ts";
import type { RouteTable, Suffix } from "./routes.ts";

/** Who answers for a name: data of our own, or the route with this number (see RouteBook). */
export type Place =
  | { readonly kind: "zone"; readonly zone: LocalZone }
  | { readonly kind: "route"; readonly route: number };

export interface ResolverOptions {
  readonly allow: AllowList;
  /** Networks that may ask why a name is answered as it is. */
  readonly admin: AllowList;
  readonly budget: ClientBudget;
  readonly cookies: Cookies;
  /** Lists that decide before a route is asked; absent where there is none. */
  readonly judge?: PolicyJudge | undefined;
  /** Wall time in whole seconds since 1970, for the cookies' age. */
  readonly wallSeconds: () => number;
  readonly places: readonly Place[];
  /** Names that lead to `places`. */
  readonly suffixes: readonly Suffix[];
  readonly cache: Cache;
  /** Random per process. */
  readonly seed: number;
  /** `site/instance`. */
  readonly identity: string;
}

/** What a reload puts in the place of what was; `table` is made from `suffixes`. */
export interface Replaced extends Pick<
  ResolverOptions,
  "admin" | "allow" | "budget" | "cookies" | "judge" | "places" | "suffixes"
> {
  readonly table: RouteTable;
}
