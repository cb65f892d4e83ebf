/**
 * Every peer the tests talk to: one row each, and nothing about them written anywhere else.
 * `tested` is the upstream version the suite was last run against (Debian 12); another one is fetched where apt offers another.
 */
export interface PeerFacts {
  /** Debian packages; the first gives the version and the folder's name. */
  readonly packages: readonly [string, ...string[]];
  readonly tested: string;
  /** Program name -> path inside the unpacked tree. */
  readonly programs: Readonly<Record<string, string>>;
  /** Prints the version and ends; the proof that the tree runs. */
  readonly prove: { readonly program: string; readonly args: readonly string[]; readonly expect: RegExp };
  /** Accounts that the package's postinst would have made and the daemon insists on. */
  readonly users?: readonly string[];
  /** Group -> members. */
  readonly groups?: Readonly<Record<string, readonly string[]>>;
  /** Directories that the daemon wants, owned by `users[0]`. */
  readonly runDirectories?: readonly string[];
  /** Directories it would otherwise leave traces in: empty, `users[0]`'s, and gone with the command. */
  readonly privateDirectories?: readonly string[];
  /** Folders holding shared objects beside the architecture's own. `ARCH` stands for the multiarch triple. */
  readonly libraries?: readonly string[];
  /** Programs find their plugins by a compiled-in path: run them with the tree laid over /usr (`inPrivateEtc`). */
  readonly overUsr?: true;
  /** Fetched by `npm run test:containers` or `npm run bench` alone: `npm test` starts no container engine and races nobody. */
  readonly onlyFor?: "containers" | "bench";
}

const PYTHON_MODULES = "usr/lib/python3/dist-packages";
export const pythonModules: string = PYTHON_MODULES;

const CATALOGUE = {
  frr: {
    packages: ["frr"],
    tested: "8.4.4",
    programs: {
      zebra: "usr/lib/frr/zebra",
      bgpd: "usr/lib/frr/bgpd",
      bfdd: "usr/lib/frr/bfdd",
      ospfd: "usr/lib/frr/ospfd",
      staticd: "usr/lib/frr/staticd",
      vtysh: "usr/bin/vtysh",
    },
    prove: { program: "bgpd", args: ["--version"], expect: /bgpd version (\S+)/ },
    users: ["frr"],
    groups: { frr: [], frrvty: ["frr"] },
    runDirectories: ["/run/frr", "/etc/frr"],
    privateDirectories: ["/var/tmp/frr"],
    libraries: ["usr/lib/ARCH/frr"],
  },
  bird: {
    packages: ["bird2"],
    tested: "2.0.12",
    programs: { bird: "usr/sbin/bird", birdc: "usr/sbin/birdc" },
    prove: { program: "bird", args: ["--version"], expect: /BIRD version (\S+)/ },
  },
  gobgp: {
    packages: ["gobgpd"],
    tested: "3.10.0",
    programs: { gobgpd: "usr/bin/gobgpd", gobgp: "usr/bin/gobgp" },
    prove: { program: "gobgpd", args: ["--version"], expect: /gobgpd version (\S+)/ },
  },
  exabgp: {
    packages: ["exabgp", "python3-exabgp"],
    tested: "4.2.21",
    programs: { exabgp: "usr/sbin/python3-exabgp", exabgpcli: "usr/sbin/python3-exabgpcli" },
    prove: { program: "exabgp", args: ["--version"], expect: /ExaBGP : (\S+)/ },
  },
  chrony: {
    packages: ["chrony"],
    tested: "4.3",
    programs: { chronyd: "usr/sbin/chronyd", chronyc: "usr/bin/chronyc" },
    prove: { program: "chronyd", args: ["--version"], expect: /chronyd \(chrony\) version (\S+)/ },
    users: ["_chrony"],
    groups: { _chrony: [] },
    runDirectories: ["/run/chrony"],
  },
  ntpsec: {
    packages: ["ntpsec", "ntpsec-ntpdig", "python3-ntp"],
    tested: "1.2.2",
    programs: { ntpd: "usr/sbin/ntpd", ntpdig: "usr/bin/ntpdig", ntpq: "usr/bin/ntpq" },
    prove: { program: "ntpd", args: ["--version"], expect: /ntpd ntpsec-(\S+)/ },
    users: ["ntpsec"],
    groups: { ntpsec: [] },
    runDirectories: ["/run/ntpsec"],
  },
  dig: {
    packages: ["bind9-dnsutils", "bind9-libs"],
    tested: "9.18.49",
    programs: { dig: "usr/bin/dig", delv: "usr/bin/delv", nsupdate: "usr/bin/nsupdate" },
    prove: { program: "dig", args: ["-v"], expect: /DiG ([\d.]+)/ },
  },
  dnsperf: {
    packages: ["dnsperf"],
    tested: "2.10.0",
    programs: { dnsperf: "usr/bin/dnsperf" },
    prove: { program: "dnsperf", args: ["-h"], expect: /Version ([\d.]+)/ },
  },
  openssl: {
    packages: ["openssl"],
    tested: "3.0.22",
    programs: { openssl: "usr/bin/openssl" },
    prove: { program: "openssl", args: ["version"], expect: /^OpenSSL (\S+)/ },
  },
  kdig: {
    packages: ["knot-dnsutils"],
    tested: "3.2.6",
    programs: { kdig: "usr/bin/kdig" },
    prove: { program: "kdig", args: ["--version"], expect: /kdig \(Knot DNS\), version (\S+)/ },
  },
  ldns: {
    packages: ["ldnsutils"],
    tested: "1.8.3",
    programs: { drill: "usr/bin/drill", "ldns-testns": "usr/bin/ldns-testns" },
    prove: { program: "drill", args: ["-v"], expect: /ldns version ([\d.]+)/ },
  },
  unbound: {
    packages: ["unbound"],
    tested: "1.17.1",
    programs: { unbound: "usr/sbin/unbound", "unbound-checkconf": "usr/sbin/unbound-checkconf" },
    prove: { program: "unbound", args: ["-V"], expect: /Version (\S+)/ },
    users: ["unbound"],
    groups: { unbound: [] },
  },
  nsd: {
    packages: ["nsd"],
    tested: "4.6.1",
    programs: { nsd: "usr/sbin/nsd", "nsd-checkconf": "usr/sbin/nsd-checkconf", "nsd-control": "usr/sbin/nsd-control" },
    prove: { program: "nsd", args: ["-v"], expect: /NSD version (\S+)/ },
    users: ["nsd"],
    groups: { nsd: [] },
    runDirectories: ["/run/nsd"],
  },
  rsyslog: {
    packages: ["rsyslog", "libestr0", "libfastjson4", "liblognorm5"],
    tested: "8.2302.0",
    programs: { rsyslogd: "usr/sbin/rsyslogd" },
    prove: { program: "rsyslogd", args: ["-v"], expect: /rsyslogd\s+(\S+)/ },
    libraries: ["usr/lib/ARCH/rsyslog"],
  },
  loggen: {
    packages: ["syslog-ng-core"],
    tested: "3.38.1",
    programs: { loggen: "usr/bin/loggen", "syslog-ng": "usr/sbin/syslog-ng" },
    prove: { program: "syslog-ng", args: ["--version"], expect: /syslog-ng 3 \((\S+)\)/ },
    libraries: ["usr/lib/syslog-ng"],
    overUsr: true,
  },
  tcpdump: {
    packages: ["tcpdump"],
    tested: "4.99.3",
    programs: { tcpdump: "usr/bin/tcpdump" },
    prove: { program: "tcpdump", args: ["--version"], expect: /tcpdump version (\S+)/ },
  },
  nft: {
    packages: ["nftables"],
    tested: "1.0.6",
    programs: { nft: "usr/sbin/nft" },
    prove: { program: "nft", args: ["--version"], expect: /nftables v(\S+)/ },
  },
  docker: {
    packages: ["docker.io", "containerd", "runc", "tini", "iptables"],
    tested: "20.10.24",
    programs: {
      docker: "usr/bin/docker",
      dockerd: "usr/sbin/dockerd",
      containerd: "usr/bin/containerd",
      runc: "usr/sbin/runc",
      tini: "usr/bin/tini",
      iptables: "usr/sbin/xtables-nft-multi",
    },
    prove: { program: "dockerd", args: ["--version"], expect: /Docker version (\S+)\+/ },
    onlyFor: "containers",
  },
  compose: {
    packages: ["docker-compose"],
    tested: "1.29.2",
    programs: { "docker-compose": "usr/bin/docker-compose" },
    prove: { program: "docker-compose", args: ["--version"], expect: /version (\S+),/ },
    onlyFor: "containers",
  },
  mmdebstrap: {
    packages: ["mmdebstrap"],
    tested: "1.3.5",
    programs: { mmdebstrap: "usr/bin/mmdebstrap" },
    prove: { program: "mmdebstrap", args: ["--version"], expect: /mmdebstrap (\S+)/ },
    onlyFor: "containers",
  },
  ethtool: {
    packages: ["ethtool"],
    tested: "6.1",
    programs: { ethtool: "sbin/ethtool" },
    prove: { program: "ethtool", args: ["--version"], expect: /ethtool version (\S+)/ },
    onlyFor: "containers",
  },
  dnsmasq: {
    packages: ["dnsmasq-base"],
    tested: "2.90",
    programs: { dnsmasq: "usr/sbin/dnsmasq" },
    prove: { program: "dnsmasq", args: ["--version"], expect: /Dnsmasq version (\S+)/ },
    onlyFor: "bench",
  },
  dnsdist: {
    packages: ["dnsdist"],
    tested: "1.7.3",
    programs: { dnsdist: "usr/bin/dnsdist" },
    prove: { program: "dnsdist", args: ["--version"], expect: /dnsdist (\S+)/ },
    onlyFor: "bench",
  },
  "knot-resolver": {
    packages: ["knot-resolver"],
    tested: "5.6.0",
    programs: { kresd: "usr/sbin/kresd" },
    prove: { program: "kresd", args: ["--version"], expect: /Knot Resolver, version (\S+)/ },
    overUsr: true,
    onlyFor: "bench",
  },
  "pdns-recursor": {
    packages: ["pdns-recursor"],
    tested: "4.8.8",
    programs: { pdns_recursor: "usr/sbin/pdns_recursor" },
    prove: { program: "pdns_recursor", args: ["--version"], expect: /PowerDNS Recursor (\S+)/ },
    onlyFor: "bench",
  },
} as const satisfies Readonly<Record<string, PeerFacts>>;

export type PeerName = keyof typeof CATALOGUE;
/** What `npm test` speaks to; the others are fetched by name. */
export const peerNames: readonly PeerName[] = Object.keys(CATALOGUE)
  .filter(isPeerName)
  .filter((name) => factsOf(name).onlyFor === undefined);

export function isPeerName(name: string): name is PeerName {
  return Object.hasOwn(CATALOGUE, name);
}
export function factsOf(name: PeerName): PeerFacts {
  return CATALOGUE[name];
}
