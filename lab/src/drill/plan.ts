/** The lab's addresses and names, as the topology and the nodes' files have them. */
export const VIPS = { dns: "10.10.10.53", syslog: "10.10.5.14", ntp: "10.10.10.123" } as const;
/** Names a host's site.yaml to stitch's commands. */
export const SITE_FILE: readonly string[] = ["-c", "/etc/stitch/site.yaml"];
export const WHOAMI = "whoami.stitch.test";

export interface SitePlan {
  readonly site: string;
  readonly host: string;
  readonly router: string;
  readonly hostAddress: string;
}
export const NYC: SitePlan = { site: "nyc", host: "host-nyc", router: "tor-nyc", hostAddress: "10.3.1.10" };
export const LON: SitePlan = { site: "lon", host: "host-lon", router: "tor-lon", hostAddress: "10.3.2.10" };
export const SITES: readonly SitePlan[] = [NYC, LON];

/** The core's way to each site. */
export const CORE = "core";
export const CORE_TO_NYC = "to-nyc";
export const TOR_TO_HOST = "to-host";

/** Client -> the site it should reach while all is well. */
export const NEAREST: Readonly<Record<string, SitePlan>> = { "client-nyc": NYC, "client-lon": LON, branch: NYC };
