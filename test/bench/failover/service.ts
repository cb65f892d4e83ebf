import type { ChildProcess } from "node:child_process";
import { rmSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { STITCH } from "@stitch/cli/program";
import type { Namespace } from "@stitch/peers";
import { execa } from "execa";
import { transcript, type Wire } from "../../interop/bgp/wire.ts";
import { VIP } from "./network.ts";

/** Answered by every origin from a zone of its own, with its site as NSID. */
export const NAME = "whoami.bench.test";
const ROOT = join(import.meta.dirname, "..", "..", "..");
const COMPILE_CACHE = join(ROOT, ".cache", "bench", "compile-cache");
const HEALTH = "127.0.0.1:8153";

/** Fills the cache that the roles start with, as the images do it: a role that strips types itself is larger, and slower to die. */
export async function fillCompileCache(): Promise<void> {
  rmSync(COMPILE_CACHE, { recursive: true, force: true });
  const env = { NODE_COMPILE_CACHE: COMPILE_CACHE };
  await execa(process.execPath, [join(ROOT, "docker", "image", "fill-compile-cache.js")], { env });
  await execa(process.execPath, [STITCH, "--help"], { env });
}

export interface SitePlan {
  readonly site: string;
  readonly namespace: Namespace;
  readonly address: string;
  readonly router: { readonly address: string; readonly asn: number };
  readonly asn: number;
  readonly bfd?: { readonly interval: number; readonly multiplier: number };
}

/** A site's files, and its roles as processes. Each start has a folder of its own: nothing is remembered from the last. */
export class Site {
  readonly file: string;
  readonly #wire: Wire;
  readonly #namespace: Namespace;

  static async write(wire: Wire, plan: SitePlan): Promise<Site> {
    const folder = wire.file(`${plan.site}-${process.hrtime.bigint()}`);
    await mkdir(folder);
    await writeFile(join(folder, "bench.test.zone"), ZONE);
    await writeFile(join(folder, "site.yaml"), siteYaml(plan, folder));
    return new Site(wire, plan.namespace, join(folder, "site.yaml"));
  }

  private constructor(wire: Wire, namespace: Namespace, file: string) {
    this.#wire = wire;
    this.#namespace = namespace;
    this.file = file;
  }

  run(role: "dns" | "announcer"): ChildProcess {
    const argv = [process.execPath, STITCH, "run", role, "-c", this.file];
    const child = this.#wire.start(this.#namespace, argv, { NODE_COMPILE_CACHE: COMPILE_CACHE });
    transcript(child);
    return child;
  }
}

const ZONE = `$ORIGIN bench.test.
$TTL 60
@ IN SOA ns.bench.test. hostmaster.bench.test. 1 3600 600 86400 60
@ IN NS ns.bench.test.
ns IN A ${VIP}
whoami IN TXT "bench"
`;

function siteYaml({ site, address, router, asn, bfd }: SitePlan, folder: string): string {
  const path = bfd === undefined ? "" : `, bfd: { interval: ${bfd.interval}ms, multiplier: ${bfd.multiplier} }`;
  return `site: ${site}
instance: ${site}-1
dns:
  listen: ["${VIP}:53"]
  health: "${HEALTH}"
  allow: [10.0.0.0/8, 127.0.0.0/8]
  local: { zones: ["${folder}/bench.test.zone"] }
announcer:
  asn: ${asn}
  routerId: ${address}
  control: ${folder}/announcer.sock
  peers: [ { address: ${router.address}, asn: ${router.asn}, localAddress: ${address}${path} } ]
  vips: [ { prefix: ${VIP}/32, service: dns, check: { lease: "http://${HEALTH}" } } ]
`;
}
