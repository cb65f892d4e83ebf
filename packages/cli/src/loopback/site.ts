import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../usage.ts";

/** Where the built-in site listens: the address plan of the README on loopback, no root needed. */
export const LOOPBACK = {
  dns: { address: "127.10.10.53", port: 5300 },
  corp: { address: "127.10.10.54", port: 5300 },
  syslog: { address: "127.10.5.14", port: 5514 },
  ntp: { address: "127.10.10.123", port: 5123 },
  monitor: { address: "127.10.10.179", port: 1790 },
} as const;

export const MONITOR_ASN = 65_100;

/** The files of the built-in site, in `directory`. They are written anew at each start; copy one to change it. */
export interface LoopbackFiles {
  readonly site: string;
  /** Site of the second resolver, which plays the upstream that a company would have. */
  readonly corp: string;
}

export function loopbackFiles(directory: string): LoopbackFiles {
  return { site: join(directory, "site.yaml"), corp: join(directory, "corp.yaml") };
}

/**
 * Writes the built-in site. `forward` are upstreams for every other name; none by default. Throws UsageError where
 * nothing can be written.
 */
export function writeLoopbackSite(directory: string, forward: readonly string[]): LoopbackFiles {
  try {
    return write(directory, forward);
  } catch (failure) {
    const { code = String(failure) } = failure as NodeJS.ErrnoException;
    throw new UsageError(
      `the built-in site needs ${directory}, which cannot be written (${code}); set XDG_STATE_HOME to a folder that can, or name a file with -c`,
    );
  }
}

function write(directory: string, forward: readonly string[]): LoopbackFiles {
  const files = loopbackFiles(directory);
  mkdirSync(directory, { recursive: true, mode: 0o750 });
  writeFileSync(join(directory, "stitch.zone"), STITCH_ZONE);
  writeFileSync(join(directory, "corp.zone"), CORP_ZONE);
  writeFileSync(files.site, siteYaml(directory, forward));
  writeFileSync(files.corp, corpYaml(directory));
  return files;
}

const WRITTEN =
  "# Written by `stitch up` at each start: copy it before you change it, then `stitch up -c YOUR-COPY`.\n";

function siteYaml(directory: string, forward: readonly string[]): string {
  const { dns, corp, syslog, ntp, monitor } = LOOPBACK;
  const root = forward.length === 0 ? "" : `\n    - { zone: ".", upstreams: ${JSON.stringify(forward)} }`;
  return `${WRITTEN}site: loopback
dns:
  listen: ["${dns.address}:${dns.port}"]
  health: "127.0.0.1:8153"
  control: ${JSON.stringify(join(directory, "dns.sock"))}
  routes:
    - { zone: corp.stitch.test, upstreams: ["${corp.address}:${corp.port}"] }${root}
  local: { zones: [${JSON.stringify(join(directory, "stitch.zone"))}] }
syslog:
  listen: ["udp://${syslog.address}:${syslog.port}"]
  health: "127.0.0.1:8514"
  store: { path: ${JSON.stringify(join(directory, "syslog"))}, retain: { age: 7d, size: 256MiB } }
ntp:
  listen: ["${ntp.address}:${ntp.port}"]
  health: "127.0.0.1:8123"
  clock: local # stratum 10: good for a try, never for production
announcer:
  asn: 65101
  routerId: 127.10.10.1
  control: ${JSON.stringify(join(directory, "announcer.sock"))}
  drain: { time: 1s, max: 3s }
  peers: [ { address: ${monitor.address}, port: ${monitor.port}, asn: ${MONITOR_ASN}, holdTime: 9s } ]
  vips:
    - { prefix: ${dns.address}/32, service: dns, check: { lease: "http://127.0.0.1:8153" } }
    - { prefix: ${syslog.address}/32, service: syslog, check: { lease: "http://127.0.0.1:8514" } }
    - { prefix: ${ntp.address}/32, service: ntp, check: { lease: "http://127.0.0.1:8123" } }
`;
}

function corpYaml(directory: string): string {
  const { corp } = LOOPBACK;
  return `${WRITTEN}site: corp-upstream
dns:
  listen: ["${corp.address}:${corp.port}"]
  health: "127.0.0.1:8154"
  local: { zones: [${JSON.stringify(join(directory, "corp.zone"))}] }
`;
}

const STITCH_ZONE = `$ORIGIN stitch.test.
$TTL 60
@       SOA   ns hostmaster 1 3600 600 86400 60
@       NS    ns
@       TXT   "same prefix, many origins, nearest healthy one wins"
ns      A     127.10.10.53
dns     A     127.10.10.53
syslog  A     127.10.5.14
ntp     A     127.10.10.123
www     CNAME dns
`;

const CORP_ZONE = `$ORIGIN corp.stitch.test.
$TTL 30
@       SOA   ns hostmaster 1 3600 600 86400 60
@       NS    ns
ns      A     127.10.10.54
intranet A    192.0.2.10
intranet AAAA 2001:db8::10
mail    MX    10 intranet
`;
