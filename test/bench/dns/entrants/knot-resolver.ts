import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inPrivateEtc, peer } from "@stitch/peers";
import { ADDRESS } from "../client.ts";
import { answers, UPSTREAM_PORT, type Absent, type Entrant, type Setup } from "../entrant.ts";

const PORT = 5_406;
/** Gone with the process: in memory, as its manual advises. */
const CACHE = "/var/cache/knot-resolver";
const CACHE_BYTES = 2 ** 31;

/**
 * kresd, a process for each worker, one cache for all. It finds its modules by a compiled-in path, so it needs root.
 * `policy.STUB` would not do: what that hears is kept for 5 s.
 */
export async function knotResolver({ folder, workers }: Setup): Promise<Entrant | Absent> {
  const name = "knot-resolver";
  if (process.getuid?.() !== 0)
    return { name, absent: "it finds its modules in /usr alone, and only root can lay them there" };
  const found = await peer(name);
  const file = join(folder, `kresd-${workers}.lua`);
  writeFileSync(
    file,
    `net.ipv6 = false
net.listen("${ADDRESS}", ${PORT}, { kind = "dns" })
cache.open(${CACHE_BYTES}, "lmdb://${CACHE}")
trust_anchors.remove(".")
for _, name in ipairs({ "ta_update", "ta_signal_query", "ta_sentinel", "priming", "detect_time_skew", "detect_time_jump" }) do
  modules.unload(name)
end
policy.add(policy.all(policy.FORWARD("${ADDRESS}@${UPSTREAM_PORT}")))
`,
  );
  const one = (n: number): string => {
    const home = join(folder, `kresd-${workers}-${n}`);
    mkdirSync(home);
    return `"$1" -n -c "$2" ${home}`;
  };
  const others = Array.from({ length: workers - 1 }, (_, n) => `${one(n + 1)} & `).join("");
  const [first = "", ...rest] = inPrivateEtc(
    ["sh", "-c", `${others}exec ${one(0)}`, "sh", found.program("kresd"), file],
    { peers: [found], directories: [CACHE] },
  );
  return {
    name,
    version: found.version,
    settings: `policy.FORWARD, no trust anchor, cache of ${CACHE_BYTES / 2 ** 20} MiB in memory, a process for each worker`,
    command: [first, ...rest],
    env: found.env,
    serves: { port: PORT, ready: answers },
  };
}
