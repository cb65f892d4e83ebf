import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { peer } from "@stitch/peers";
import { ADDRESS } from "../client.ts";
import { answers, CACHE_ENTRIES, UPSTREAM_PORT, type Entrant, type Setup } from "../entrant.ts";
import { ZONE } from "../names.ts";

const PORT = 5_405;

/** A load balancer with a packet cache before one server; a listener for each worker, datagrams taken 64 at a time. */
export async function dnsdist({ folder, workers }: Setup): Promise<Entrant> {
  const found = await peer("dnsdist");
  const file = join(folder, `dnsdist-${workers}.lua`);
  const listener = `addLocal("${ADDRESS}:${PORT}", {reusePort=true})`;
  writeFileSync(
    file,
    `setLocal("${ADDRESS}:${PORT}", {reusePort=true})
${`${listener}\n`.repeat(workers - 1)}setACL({"127.0.0.0/8"})
setSecurityPollSuffix("")
setUDPMultipleMessagesVectorSize(64)
setMaxUDPOutstanding(65535)
newServer({address="${ADDRESS}:${UPSTREAM_PORT}", checkName="${ZONE}.", checkType="SOA", sockets=${4 * workers}})
cache = newPacketCache(${CACHE_ENTRIES}, {maxTTL=86400, maxNegativeTTL=3600, numberOfShards=${20 * workers}})
getPool(""):setCache(cache)
`,
  );
  return {
    name: "dnsdist",
    version: found.version,
    settings: `packet cache of ${CACHE_ENTRIES}, recvmmsg of 64, ${4 * workers} sockets to the upstream`,
    command: [found.program("dnsdist"), "--supervised", "--disable-syslog", "-C", file],
    env: found.env,
    serves: { port: PORT, ready: answers },
  };
}
