import { birdStanza } from "./bird.ts";
import { eosStanza } from "./eos.ts";
import { frrStanza } from "./frr.ts";
import { iosXeStanza } from "./ios-xe.ts";
import { junosStanza } from "./junos.ts";
import { nxOsStanza } from "./nx-os.ts";
import type { RouterPlan } from "./plan.ts";

/** What is configured on the router's side, in each vendor's words. */
export const VENDORS = {
  frr: frrStanza,
  bird: birdStanza,
  eos: eosStanza,
  "ios-xe": iosXeStanza,
  "nx-os": nxOsStanza,
  junos: junosStanza,
} as const satisfies Readonly<Record<string, (plan: RouterPlan) => string[]>>;

export type Vendor = keyof typeof VENDORS;

export function vendorOf(text: string): Vendor | undefined {
  return (Object.keys(VENDORS) as Vendor[]).find((vendor) => vendor === text);
}
