import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { peer } from "@stitch/peers";
import { execa } from "execa";
import { ADDRESS } from "../client.ts";
import { answers, UPSTREAM_PORT, type Entrant } from "../entrant.ts";
import { ZONE } from "../names.ts";

/** The authoritative server that all forward to, and how many questions it was asked so far. */
export interface Upstream extends Entrant {
  questions(): Promise<number>;
}

export async function nsd(folder: string, zone: string): Promise<Upstream> {
  const found = await peer("nsd");
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
  control-enable: yes
  control-interface: "${join(folder, "nsd.control")}"
zone:
  name: ${ZONE}
  zonefile: ${zone}
`,
  );
  return {
    name: "nsd",
    version: found.version,
    settings: "one server, no rate limit",
    command: [found.program("nsd"), "-d", "-c", file],
    env: found.env,
    serves: { port: UPSTREAM_PORT, ready: answers },
    async questions() {
      const { stdout } = await execa(found.program("nsd-control"), ["-c", file, "stats_noreset"], { env: found.env });
      return Number(/^num\.queries=(\d+)/m.exec(stdout)?.[1]);
    },
  };
}
