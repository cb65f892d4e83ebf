import { textAnswer } from "./local/local-answer.ts";
import type { Slab } from "./cache/image.ts";
import { parseName } from "./wire/name.ts";
import { sameBytes } from "./wire/octets.ts";
import type { Query } from "./wire/query.ts";
import { CLASS } from "./wire/registry.ts";

/** The same as in package.json, which a test holds it to. */
export const VERSION = "0.1.0";

/** RFC 4892: who answers. */
const IDENTITY = named("id.server", "hostname.bind");
/** What answers; what has a hole is a thing to know for who looks for one. */
const SOFTWARE = named("version.bind", "version.server");

/** The answer in class CH, or undefined when there is none for this query. `admin`: the client may know the version. */
export function chaosAnswer(query: Query, identity: string, admin: boolean): Slab | undefined {
  if (query.class !== CLASS.CH) return undefined;
  if (isOneOf(query, IDENTITY)) return textAnswer(query, [identity]);
  return admin && isOneOf(query, SOFTWARE) ? textAnswer(query, [`stitch ${VERSION}`]) : undefined;
}

function named(...texts: string[]): Uint8Array[] {
  return texts.map((text) => parseName(text) ?? new Uint8Array());
}

function isOneOf({ key, nameLength }: Query, names: readonly Uint8Array[]): boolean {
  return names.some((name) => name.length === nameLength && sameBytes(name, 0, key, 0, nameLength));
}
