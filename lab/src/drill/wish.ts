import type { Lab } from "../lab.ts";
import { SITE_FILE } from "./plan.ts";

interface Status {
  readonly vips?: readonly { readonly service: string; readonly wish: string }[];
}

/** What a host's announcer says the routers hear of a service's address: `normal`, `last-resort` or `none`. */
export async function wishOf(lab: Lab, host: string, service: string): Promise<string | undefined> {
  const { stdout } = await lab.exec(host, ["stitch", "status", "--json", ...SITE_FILE]);
  return (JSON.parse(stdout) as Status).vips?.find((vip) => vip.service === service)?.wish;
}
