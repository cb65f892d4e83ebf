import { namespacesUnavailable, peerAvailability } from "@stitch/peers";

import { type RouterName, ROUTERS } from "./routers.ts";

const ci = process.env["CI"] !== undefined;

/** Why each router cannot run here; none can be missing in CI, where a test that needs it then fails. */
export async function missingRouters(): Promise<ReadonlyMap<RouterName, string | undefined>> {
  if (ci) return new Map();
  const unavailable = await namespacesUnavailable();
  const found = await Promise.all(ROUTERS.map(async (name) => [name, await peerAvailability(name)] as const));
  return new Map(found.map(([name, peer]) => [name, unavailable ?? (peer.ok ? undefined : peer.reason)]));
}
