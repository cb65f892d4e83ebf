import { createSocket } from "node:dgram";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { decode, encode } from "dns-packet";
import { peer } from "@stitch/peers";
import type { Contestant } from "../contest.ts";
import { ZONE } from "./names.ts";

export const ADDRESS = "127.53.0.1";
const UPSTREAM_PORT = 5_400;
const UNBOUND_PORT = 5_401;
const STITCH_PORT = 5_402;
const STITCH_HEALTH = 5_403;
const ROOT = join(import.meta.dirname, "..", "..", "..");

/** Whether a server answers for the zone. */
async function answers(port: number): Promise<boolean> {
  const socket = createSocket("udp4");
  try {
    return await new Promise<boolean>((resolve) => {
      socket.on("error", () => resolve(false));
      socket.on("message", (bytes) => resolve((decode(bytes).answers?.length ?? 0) > 0));
      socket.send(
        encode({ type: "query", id: 1, flags: 256, questions: [{ type: "A", name: `n0.${ZONE}` }] }),
        port,
        ADDRESS,
      );
      AbortSignal.timeout(200).addEventListener("abort", () => resolve(false));
    });
  } finally {
    socket.close();
  }
}

/** The authoritative server that both forward to. */
export async function upstream(folder: string, zone: string): Promise<Contestant & { readonly version: string }> {
  const nsd = await peer("nsd");
  const file = join(folder, "nsd.conf");
  writeFileSync(
    file,
    `server:
  ip-address: ${ADDRESS}@${UPSTREAM_PORT}
  username: ""
  chroot: ""
  zonesdir: "${folder}"
  database: ""
  pidfile: "${join(folder, "nsd.pid")}"
  xfrdfile: "${join(folder, "xfrd.state")}"
  zonelistfile: "${join(folder, "zone.list")}"
  server-count: 1
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: ${ZONE}
  zonefile: ${zone}
`,
  );
  return {
    name: "nsd",
    version: nsd.version,
    command: [nsd.program("nsd"), "-d", "-c", file],
    env: nsd.env,
    serves: { port: UPSTREAM_PORT, ready: answers },
  };
}

/** unbound as a forwarder with one thread: its defaults, but for what a cache on loopback needs. */
export async function unbound(folder: string): Promise<Contestant & { readonly version: string }> {
  const found = await peer("unbound");
  const file = join(folder, "unbound.conf");
  writeFileSync(
    file,
    `server:
  interface: ${ADDRESS}@${UNBOUND_PORT}
  num-threads: 1
  username: ""
  chroot: ""
  directory: "${folder}"
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
  access-control: 127.0.0.0/8 allow
  module-config: "iterator"
  so-rcvbuf: 4m
  msg-cache-size: 64m
  rrset-cache-size: 128m
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
    command: [found.program("unbound"), "-d", "-c", file],
    env: found.env,
    serves: { port: UNBOUND_PORT, ready: answers },
  };
}

/** The resolver of this repository, as `stitch run dns` runs it: health, self-check, allow list, metrics and all. */
export function stitch(folder: string): Contestant {
  const file = join(folder, "site.yaml");
  writeFileSync(
    file,
    `site: bench
instance: bench-1
dns:
  listen: ["${ADDRESS}:${STITCH_PORT}"]
  workers: 1
  health: "127.0.0.1:${STITCH_HEALTH}"
  allow: [127.0.0.0/8, 10.0.0.0/8, "fd00::/8"]
  routes:
    - { zone: ".", upstreams: ["${ADDRESS}:${UPSTREAM_PORT}"] }
  limit: { perNetwork: 1000000000, exempt: [] } # never reached, always worked out
  cache: { size: 192MiB }
`,
  );
  return {
    name: "stitch",
    command: [process.execPath, join(ROOT, "packages", "cli", "bin", "stitch.js"), "run", "dns", "-c", file],
    serves: { port: STITCH_PORT, ready: answers },
  };
}
