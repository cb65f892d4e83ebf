import type { SiteDocument } from "@stitch/config";
import type { Logger } from "@stitch/health";
import { dnsConfig, localPath, type DnsSettings } from "./config.ts";
import { localSteps } from "./local/load-local.ts";
import { readingFiles, type TextFile } from "./local/read-text.ts";
import { COOKIE_SECRET, readSecret, SIBLING_SECRET } from "./local/secret.ts";
import { readPolicies, type Policies } from "./policy/load-policies.ts";
import { readCertificates, readIdentity, type TlsIdentity } from "./tls/certificates.ts";
import type { Steps } from "./sliced.ts";

/**
 * What is served: the settings and every file that they name, read once, in one thread, and found to be good. The workers
 * get the same texts: a file that changes between two of them would make one site give two answers.
 */
export interface Served {
  readonly dns: DnsSettings;
  readonly hosts: readonly TextFile[];
  readonly zones: readonly TextFile[];
  /** Zones and hosts that these files make. */
  readonly localZones: number;
  /** Of DNS cookies, sixteen octets each. */
  readonly cookieSecrets: readonly Uint8Array[];
  /** By which siblings know each other, thirty-two octets; without it none is asked and none answered. */
  readonly siblingSecret: Uint8Array | undefined;
  /** Of the listener for DNS over TLS. */
  readonly identity: TlsIdentity | undefined;
  /** Certificates that upstreams are verified with, by what stands in `routes[].tls.ca`. */
  readonly cas: ReadonlyMap<string, string>;
  /** Their names are in memory that all workers share. */
  readonly policies: Policies;
}

/** Ends with ConfigError when any of it cannot be used. `seed` is random per process. */
export function* readServed(document: SiteDocument, seed: number): Steps<Served> {
  const dns = dnsConfig(document);
  const inPlace = (paths: readonly string[]): string[] => paths.map((path) => localPath(document, path));
  const hosts = yield* readingFiles(inPlace(dns.local.hosts));
  const zones = yield* readingFiles(inPlace(dns.local.zones));
  const local = yield* localSteps(hosts, zones);
  const localZones = local.zones.length + local.hosts.length;
  const cookieSecrets = dns.cookies.secrets.map((path) => readSecret(localPath(document, path), COOKIE_SECRET));
  const { secret } = dns.warmFrom;
  const siblingSecret = secret === undefined ? undefined : readSecret(localPath(document, secret), SIBLING_SECRET);
  const named = dns.routes.flatMap(({ tls: { ca } }) => (ca === undefined ? [] : [ca]));
  const cas = new Map(named.map((path) => [path, readCertificates(localPath(document, path))]));
  const identity = identityOf(document, dns);
  const policies = yield* readPolicies(dns.policies, (path) => localPath(document, path), seed);
  return { dns, hosts, zones, localZones, cookieSecrets, siblingSecret, policies, cas, identity };
}

function identityOf(document: SiteDocument, { tls }: DnsSettings): TlsIdentity | undefined {
  if (tls === undefined) return undefined;
  return readIdentity(localPath(document, tls.cert), localPath(document, tls.key));
}

/** Lists are written by strangers: what is not understood of them is said, and does not stop the rest. */
export function tellUnread({ policies }: Served, log: Logger): void {
  for (const { file, names, unread } of policies.lists) {
    log.info({ file, names }, "policy read");
    if (unread.lines > 0)
      log.warn(`${file}:${unread.first}: ${unread.lines} lines such as this are not understood and left out`);
  }
}
