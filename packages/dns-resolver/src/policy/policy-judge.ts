import { REASON, REASONS, type ReasonCode } from "../reasons.ts";
import type { Query } from "../wire/query.ts";
import { RCODE } from "../wire/registry.ts";
import { ENTRY, POLICY_ACTION, PolicyTable } from "./policy-table.ts";
import type { Policies } from "./load-policies.ts";
import { PolicyRecords } from "./policy-answer.ts";
import { u8 } from "../wire/octets.ts";

const REASONS_BY_ACTION: Readonly<Record<number, ReasonCode>> = {
  [POLICY_ACTION.nxdomain]: REASON.policyNxdomain,
  [POLICY_ACTION.nodata]: REASON.policyNodata,
  [POLICY_ACTION.address]: REASON.policyAddress,
};

/** What the lists say to a name: nothing; that it passes, whatever else they have; or an answer. */
export const VERDICT = { none: 0, passes: 1, answered: 2 } as const;
export type Verdict = (typeof VERDICT)[keyof typeof VERDICT];

/** What the lists say to one question, until the next is judged. */
export class PolicyJudge {
  readonly records = new PolicyRecords();
  /** NOERROR or NXDOMAIN. */
  rcode = 0;
  /** The reason that is counted. */
  reason: ReasonCode = 0;
  readonly #table: PolicyTable;
  readonly #extended: readonly Uint8Array[];
  #policy = 0;

  /** Undefined where there is no list: then nothing is asked of it. */
  static of({ lists, memory }: Policies): PolicyJudge | undefined {
    if (memory === undefined) return undefined;
    return new PolicyJudge(
      new PolicyTable(memory),
      lists.map(({ extended }) => extended),
    );
  }

  private constructor(table: PolicyTable, extended: readonly Uint8Array[]) {
    this.#table = table;
    this.#extended = extended;
  }

  /** The extended error that goes with the answer. */
  get extended(): Uint8Array | undefined {
    return this.#extended[this.#policy];
  }

  /** Number of the list that the answer is from, and the extended error of the list with such a number. */
  get policy(): number {
    return this.#policy;
  }

  extendedOf(policy: number): Uint8Array | undefined {
    return this.#extended[policy];
  }

  /** The list and what it says, for people. */
  get text(): string {
    const extended = this.extended ?? new Uint8Array(2);
    return `${Buffer.from(extended.subarray(2)).toString("latin1")}: ${REASONS[this.reason]}`;
  }

  /** When the lists answer `query`, rcode, records and extended error stand ready. Allocates nothing. */
  judge(query: Query): Verdict {
    const table = this.#table;
    const entry = table.find(query);
    if (entry < 0) return VERDICT.none;
    this.#policy = u8(table.arena, entry + ENTRY.policy);
    const action = u8(table.arena, entry + ENTRY.action);
    if (action === POLICY_ACTION.passthru) return VERDICT.passes;
    const { records } = this;
    this.rcode = action === POLICY_ACTION.nxdomain ? RCODE.NXDOMAIN : RCODE.NOERROR;
    this.reason = REASONS_BY_ACTION[action] ?? REASON.policyNodata;
    if (action === POLICY_ACTION.address) records.addresses(table.arena, entry, query.type);
    if (action !== POLICY_ACTION.address || records.answers === 0) records.negative(table.suffixAt);
    return VERDICT.answered;
  }
}
