import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { STITCH } from "@stitch/cli/program";
import { ADDRESS } from "../client.ts";
import { answers, UPSTREAM_PORT, type Entrant, type Setup } from "../entrant.ts";

const PORT = 5_402;
export const HEALTH_PORT = 5_403;
/** Names that were asked for once share a fifth of it, and a million of them have to find room there. */
const MEBIBYTES_PER_WORKER = 640;

/** The resolver of this repository, as `stitch run dns` runs it: health, self-check, allow list, limiter and metrics. */
export async function stitch({ folder, workers }: Setup): Promise<Entrant> {
  const file = join(folder, `site-${workers}.yaml`);
  const size = MEBIBYTES_PER_WORKER * workers;
  writeFileSync(
    file,
    `site: bench
instance: bench-1
dns:
  listen: ["${ADDRESS}:${PORT}"]
  workers: ${workers}
  health: "127.0.0.1:${HEALTH_PORT}"
  allow: [127.0.0.0/8, 10.0.0.0/8, "fd00::/8"]
  routes:
    - { zone: ".", upstreams: ["${ADDRESS}:${UPSTREAM_PORT}"] }
  limit: { perNetwork: 1000000000, exempt: [] } # never reached, always worked out
  cache: { size: ${size}MiB }
`,
  );
  return {
    name: "stitch",
    version: process.version,
    settings: `allow list, limiter without exemption, metrics read each second, cache.size ${size} MiB`,
    command: [process.execPath, STITCH, "run", "dns", "-c", file],
    serves: { port: PORT, ready: answers },
  };
}
