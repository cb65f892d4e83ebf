import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { peer } from "@stitch/peers";
import { ADDRESS } from "../client.ts";
import { answers, CACHE_ENTRIES, UPSTREAM_PORT, type Entrant, type Setup } from "../entrant.ts";

const PORT = 5_407;

/** PowerDNS Recursor: each thread takes its own queries (`pdns-distributes-queries=no`), which later versions do by themselves. */
export async function pdnsRecursor({ folder, workers }: Setup): Promise<Entrant> {
  const found = await peer("pdns-recursor");
  const home = join(folder, `pdns-${workers}`);
  mkdirSync(home);
  const settings = {
    "local-address": ADDRESS,
    "local-port": PORT,
    "allow-from": "127.0.0.0/8",
    "dont-query": "",
    "forward-zones-recurse": `.=${ADDRESS}:${UPSTREAM_PORT}`,
    threads: workers,
    "pdns-distributes-queries": "no",
    reuseport: "yes",
    dnssec: "off",
    "max-cache-entries": CACHE_ENTRIES,
    "max-packetcache-entries": CACHE_ENTRIES,
    "packetcache-ttl": 86_400,
    "export-etc-hosts": "no",
    "serve-rfc1918": "no",
    "security-poll-suffix": "",
    "log-common-errors": "no",
    loglevel: 3,
    quiet: "yes",
    "statistics-interval": 0,
    daemon: "no",
    "write-pid": "no",
    "disable-syslog": "yes",
    "socket-dir": home,
    "config-dir": home,
  };
  writeFileSync(
    join(home, "recursor.conf"),
    Object.entries(settings)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(""),
  );
  return {
    name: "pdns-recursor",
    version: found.version,
    settings: `dnssec off, packet and record cache of ${CACHE_ENTRIES}, pdns-distributes-queries no`,
    command: [found.program("pdns_recursor"), `--config-dir=${home}`],
    env: found.env,
    serves: { port: PORT, ready: answers },
  };
}
