import type { Clock } from "@stitch/clock";
import { AllowList } from "./allow-list.ts";
import { ClientBudget } from "./client-budget.ts";
import type { DnsSettings } from "./config.ts";
import { Cookies } from "./cookies.ts";
import { Claims } from "./claims.ts";
import { LocalHistory } from "./local/local-history.ts";
import { localSteps } from "./local/load-local.ts";
import { arrange, type Places } from "./places.ts";
import { PolicyJudge } from "./policy/policy-judge.ts";
import type { QueryLogSettings } from "./query-log.ts";
import { RouteBook } from "./route-book.ts";
import { RouteTable } from "./routes.ts";
import type { Served } from "./served.ts";
import type { Steps } from "./sliced.ts";
import type { TlsIdentity } from "./tls/certificates.ts";
import type { TtlLimits } from "./upstream/digest.ts";

/** What a worker answers with, built from what is served; a reload builds it anew and puts it in place at one stroke. */
export interface Serving extends Places {
  readonly table: RouteTable;
  readonly admin: AllowList;
  readonly allow: AllowList;
  readonly budget: ClientBudget;
  readonly cookies: Cookies;
  readonly judge: PolicyJudge | undefined;
  readonly limits: TtlLimits;
  readonly queryLog: QueryLogSettings | undefined;
  /** Of the listener for DNS over TLS. */
  readonly identity: TlsIdentity | undefined;
  readonly staleSeconds: number;
}

/** Builds it, again and again, and carries over what a new file does not change: routes, and who is over his budget. */
export class ServingBuilder {
  readonly #clock: Clock;
  readonly #workers: number;
  readonly #seed: number;
  readonly #book: RouteBook;
  readonly #local = new LocalHistory();
  #limit: { readonly key: string; readonly budget: ClientBudget } | undefined;

  /** `workers`: among so many the budget of clients is shared out. `seed` is random per process. */
  constructor(clock: Clock, workers: number, seed: number) {
    this.#clock = clock;
    this.#workers = workers;
    this.#seed = seed;
    this.#book = new RouteBook(clock);
  }

  *building({ dns, hosts, zones, cookieSecrets, policies, cas, identity }: Served): Steps<Serving> {
    const local = yield* localSteps(hosts, zones);
    const texts = [...hosts, ...zones].map(({ text }) => text);
    const change = yield* this.#local.change(texts, local);
    const placed = arrange(dns, local, this.#clock, this.#book, change, cas);
    const table = yield* RouteTable.building(placed.suffixes, this.#seed);
    this.#local.took(texts, local, new Claims(placed.places, table));
    const { maxTtl, negativeTtl, stale } = dns.cache;
    return {
      ...placed,
      table,
      admin: new AllowList(dns.admin),
      allow: new AllowList(dns.allow),
      budget: this.#budgetOf(dns.limit),
      cookies: new Cookies(cookieSecrets),
      judge: PolicyJudge.of(policies),
      limits: { maxTtl: Math.floor(maxTtl / 1_000), negativeTtl: Math.floor(negativeTtl / 1_000) },
      queryLog: dns.queryLog,
      identity,
      staleSeconds: stale / 1_000,
    };
  }

  #budgetOf(limit: DnsSettings["limit"]): ClientBudget {
    const key = JSON.stringify(limit);
    if (this.#limit?.key === key) return this.#limit.budget;
    const { perNetwork, slip, exempt } = limit;
    const budget = new ClientBudget({ perSecond: perNetwork / this.#workers, slip, exempt, seed: this.#seed });
    this.#limit = { key, budget };
    return budget;
  }
}
