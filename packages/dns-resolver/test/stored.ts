import { packImage } from "../src/cache/image.ts";
import { digest } from "../src/upstream/digest.ts";
import { decodeMessage } from "../src/wire/message.ts";
import { respond } from "./fake-upstream.ts";
import { queryFor, view, type Bench } from "./fixtures.ts";

const LIMITS = { maxTtl: 86_400, negativeTtl: 900 };

/** Puts an address for `name` into the cache as if its route, the first, had just answered. */
export function storedFor({ cache }: Bench, name: string, ttl: number, tick = 0): void {
  const query = queryFor(name);
  const answers = [{ type: "A", name, ttl, data: "192.0.2.7" }] as const;
  const message = decodeMessage(Uint8Array.from(respond(Buffer.from(query), { answers: [...answers] })));
  const found = message.ok ? digest(message.value, false, LIMITS, () => true) : undefined;
  if (found?.kind !== "answer") throw new Error("no answer");
  cache.store(packImage(found.parts, 0), view(query), 0, tick, found.ttl);
}
