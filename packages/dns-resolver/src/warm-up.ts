import { AllowList } from "./allow-list.ts";
import { ClientBudget } from "./client-budget.ts";
import { Cache, SMALLEST_CACHE } from "./cache.ts";
import { packImage } from "./cache/image.ts";
import { Cookies } from "./cookies.ts";
import { builtInZones } from "./local/built-in.ts";
import { Resolver } from "./resolver.ts";
import { writeOpt } from "./wire/edns.ts";
import { AT, HEADER_BYTES, RD } from "./wire/header.ts";
import { parseName } from "./wire/name.ts";
import { put16 } from "./wire/octets.ts";
import { adoptName, Query } from "./wire/query.ts";
import { CLASS, TYPE } from "./wire/registry.ts";

/** Queries of each kind: enough for the compiler to have seen the hot paths. */
const ROUNDS = 20_000;
/** Between these the loop turns, so that a signal or a scrape is not kept waiting. */
const SLICE = 1_000;
/** A client on loopback, as an endpoint record. */
const PEER = Uint8Array.from([4, 0, 0, 53, 127, 0, 0, 1, ...new Uint8Array(16)]);

/** Drives the local and the cached path of a throw-away resolver: the code gets fast, the real cache stays untouched. */
export async function warmUp(identity: string, seed: number): Promise<void> {
  const cached = parseName("cached.test") ?? new Uint8Array();
  const cache = new Cache({ size: SMALLEST_CACHE, staleSeconds: 0, seed });
  const [localhost] = builtInZones();
  if (localhost === undefined) return;
  const resolver = new Resolver({
    admin: new AllowList([]),
    allow: new AllowList([]),
    cookies: new Cookies([]),
    wallSeconds: () => 0,
    budget: new ClientBudget({ perSecond: 1e9, slip: 0, exempt: [], seed }),
    places: [
      { kind: "route", route: 0 },
      { kind: "zone", zone: localhost },
    ],
    suffixes: [
      { name: Uint8Array.of(0), place: 0, exact: false },
      { name: localhost.apex, place: 1, exact: false },
    ],
    cache,
    seed,
    identity,
  });
  storeSample(cache, cached);
  const out = new Uint8Array(2_048);
  for (const query of [message(cached), message(localhost.apex)]) {
    for (let round = 0; round < ROUNDS; round += 1) {
      resolver.decide(query, 0, query.length, PEER, 0, false, round % 500, out, 0);
      if (round % SLICE === 0) await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }
}

function storeSample(cache: Cache, name: Uint8Array): void {
  const query = new Query();
  adoptName(query, name, TYPE.A, CLASS.IN);
  const answer = [0xc0, HEADER_BYTES, 0, TYPE.A, 0, CLASS.IN, 0, 0, 14, 16, 0, 4, 192, 0, 2, 1];
  const header = [0, 0, 0x80, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
  const body = Uint8Array.from([...header, ...query.key.subarray(0, query.keyLength), ...answer]);
  const parts = { nameLength: name.length, negative: false };
  cache.store(packImage({ message: body, ...parts, ttlsAt: [body.length - 10] }, 0), query, 0, 0, 3_600);
}

function message(name: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + name.length + 4 + 11);
  bytes[AT.flags] = RD;
  put16(bytes, AT.questions, 1);
  put16(bytes, AT.additionals, 1);
  bytes.set(name, HEADER_BYTES);
  put16(bytes, HEADER_BYTES + name.length, TYPE.A);
  put16(bytes, HEADER_BYTES + name.length + 2, CLASS.IN);
  writeOpt(bytes, HEADER_BYTES + name.length + 4, 0, false);
  return bytes;
}
