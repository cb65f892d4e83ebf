import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { peer } from "@stitch/peers";
import { ADDRESS } from "../client.ts";
import { answers, UPSTREAM_PORT, type Entrant, type Setup } from "../entrant.ts";

const PORT = 5_401;

/**
 * unbound as a forwarder that validates nothing (`module-config: "iterator"`): its defaults, but for what a cache on
 * loopback needs, room for every name, and a slab of the cache for each thread, as its manual advises.
 */
export async function unbound({ folder, workers }: Setup): Promise<Entrant> {
  const found = await peer("unbound");
  const file = join(folder, `unbound-${workers}.conf`);
  writeFileSync(
    file,
    `server:
  interface: ${ADDRESS}@${PORT}
  num-threads: ${workers}
  so-reuseport: yes
  msg-cache-slabs: ${workers}
  rrset-cache-slabs: ${workers}
  infra-cache-slabs: ${workers}
  key-cache-slabs: ${workers}
  username: ""
  chroot: ""
  directory: "${folder}"
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
  access-control: 127.0.0.0/8 allow
  module-config: "iterator"
  so-rcvbuf: 4m
  msg-cache-size: 1000m
  rrset-cache-size: 1000m
  minimal-responses: yes
  local-zone: "test." nodefault
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: ${ADDRESS}@${UPSTREAM_PORT}
`,
  );
  return {
    name: "unbound",
    version: found.version,
    settings: "module-config iterator, caches of 1000 MB each, so-reuseport, minimal-responses",
    command: [found.program("unbound"), "-d", "-c", file],
    env: found.env,
    serves: { port: PORT, ready: answers },
  };
}
