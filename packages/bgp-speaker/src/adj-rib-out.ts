import {
  type Advertisement,
  attributesOf,
  checkedAdvertisement,
  MAX_ADVERTISEMENTS,
  type Outlook,
} from "./advertisement.ts";
import type { UnsendableReason } from "./reasons.ts";
import type { Family } from "./wire/address.ts";
import type { PathAttributes } from "./wire/attribute.ts";
import { formatPrefix, type Prefix } from "./wire/prefix.ts";
import { encodeAnnouncements, encodeWithdrawals } from "./wire/update.ts";

/** What must be sent so that the peer knows what is wanted: withdrawals first, they are the urgent ones. */
export interface Change {
  readonly messages: readonly Uint8Array[];
  readonly announced: readonly Prefix[];
  readonly withdrawn: readonly Prefix[];
}

export interface Unsendable {
  readonly prefix: string;
  readonly reason: UnsendableReason;
}

interface Sent {
  readonly prefix: Prefix;
  /** The attributes as text; empty: to be sent again whatever they are. */
  readonly attributes: string;
}

interface Group {
  readonly family: Family;
  readonly attributes: PathAttributes & { readonly nextHop: string };
  readonly prefixes: Prefix[];
}

export interface OutSession extends Outlook {
  readonly families: readonly Family[];
  readonly fourOctetAs: boolean;
}

/** The routes this peer should have and the routes it has been sent (RFC 4271 section 3.2). */
export class AdjRibOut {
  #wanted: ReadonlyMap<string, Advertisement> = new Map();
  readonly #sent = new Map<string, Sent>();
  #unsendable: readonly Unsendable[] = [];

  /** The whole wish; a prefix named twice counts as last named. Throws RangeError on one that cannot be advertised. */
  want(advertisements: readonly Advertisement[]): void {
    if (advertisements.length > MAX_ADVERTISEMENTS) {
      throw new RangeError(`${advertisements.length} advertisements, at most ${MAX_ADVERTISEMENTS} are sent`);
    }
    const checked = advertisements.map(checkedAdvertisement);
    this.#wanted = new Map(checked.map((advertisement) => [formatPrefix(advertisement.prefix), advertisement]));
  }

  /** What the peer has been sent and not had withdrawn. */
  get announced(): Prefix[] {
    return Array.from(this.#sent.values(), (sent) => sent.prefix);
  }

  get unsendable(): readonly Unsendable[] {
    return this.#unsendable;
  }

  /** The connection is gone: the peer has nothing of ours. */
  forget(): void {
    this.#sent.clear();
    this.#unsendable = [];
  }

  /** Route refresh (RFC 2918): the next change repeats every route of the family. */
  repeat(family: Family): void {
    for (const [key, sent] of this.#sent) {
      if (sent.prefix.family === family) this.#sent.set(key, { ...sent, attributes: "" });
    }
  }

  /** Works out the difference between wish and sent, and counts it as sent. */
  change(session: OutSession): Change {
    const unsendable: Unsendable[] = [];
    const groups = new Map<string, Group>();
    const keep = new Set<string>();
    for (const [key, advertisement] of this.#wanted) {
      const attributes = attributesOf(advertisement, session);
      const { prefix } = advertisement;
      if (!session.families.includes(prefix.family)) unsendable.push({ prefix: key, reason: "family-not-negotiated" });
      else if (attributes === undefined) unsendable.push({ prefix: key, reason: "no-next-hop" });
      else {
        keep.add(key);
        this.#collect(groups, key, { family: prefix.family, attributes, prefixes: [prefix] });
      }
    }
    this.#unsendable = unsendable;
    const withdrawn = this.#withdrawAllBut(keep);
    return {
      messages: [...withdrawals(withdrawn), ...announcements(groups, session.fourOctetAs)],
      announced: Array.from(groups.values(), (group) => group.prefixes).flat(),
      withdrawn,
    };
  }

  /** Takes back everything that was sent, whatever is wanted. */
  withdrawAll(): Change {
    const withdrawn = this.#withdrawAllBut(new Set());
    return { messages: withdrawals(withdrawn), announced: [], withdrawn };
  }

  #collect(groups: Map<string, Group>, key: string, one: Group): void {
    const attributes = JSON.stringify(one.attributes);
    const prefix = one.prefixes[0];
    if (prefix === undefined || this.#sent.get(key)?.attributes === attributes) return;
    this.#sent.set(key, { prefix, attributes });
    const groupKey = `${one.family} ${attributes}`;
    const group = groups.get(groupKey);
    if (group === undefined) groups.set(groupKey, one);
    else group.prefixes.push(prefix);
  }

  #withdrawAllBut(keep: ReadonlySet<string>): Prefix[] {
    const gone: Prefix[] = [];
    for (const [key, sent] of this.#sent) {
      if (keep.has(key)) continue;
      gone.push(sent.prefix);
      this.#sent.delete(key);
    }
    return gone;
  }
}

function withdrawals(prefixes: readonly Prefix[]): Uint8Array[] {
  const families = [...new Set(prefixes.map((prefix) => prefix.family))];
  return families.flatMap((family) =>
    encodeWithdrawals(
      prefixes.filter((prefix) => prefix.family === family),
      family,
    ),
  );
}

function announcements(groups: ReadonlyMap<string, Group>, fourOctet: boolean): Uint8Array[] {
  return Array.from(groups.values(), ({ attributes, prefixes, family }) =>
    encodeAnnouncements(attributes, prefixes, family, fourOctet),
  ).flat();
}
