import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeMessage, framed, Frames } from "@stitch/dns-resolver/wire";
import { peer, type Peer } from "@stitch/peers";
import dnsPacket from "dns-packet";
import { execa } from "execa";
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { STITCH } from "@stitch/cli/program";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

// Real clients (dig, kdig) ask our resolver, which forwards to real servers (nsd, unbound), all on loopback.

const US = { address: "127.99.0.1", port: 5391, health: 18_753 };
const NSD = { address: "127.99.0.2", port: 5392 };
const UNBOUND = { address: "127.99.0.3", port: 5393 };
/** Both by DNS over TLS: what we listen on, and what we ask unbound by. */
const TLS_PORT = 8_853;
const UNBOUND_TLS_PORT = 8_854;

const ZONE = `$ORIGIN nsd.test.
$TTL 300
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A ${NSD.address}
www A 192.0.2.80
www AAAA 2001:db8::80
alias CNAME www
big TXT "of another"
large TXT ${Array.from({ length: 12 }, (_, i) => `"${String.fromCharCode(97 + i).repeat(200)}"`).join(" ")}
*.large CNAME large
*.pol A 192.0.2.99
below.cloak DNAME below.pol
deep.cloak DNAME step.cloak
step.cloak DNAME below.pol
empty.cloak DNAME deep.below.pol
*.walled.cloak CNAME garden.pol
passed.cloak DNAME below.pol
plain.cloak DNAME pol
odd TYPE1000 \\# 3 010203
`;

/** The same for us and for unbound. */
const POLICY = `$TTL 300
@ SOA localhost. root.localhost. 1 3600 600 86400 60
  NS localhost.
gone.pol.nsd.test CNAME .
empty.pol.nsd.test CNAME *.
*.below.pol.nsd.test CNAME .
free.below.pol.nsd.test CNAME rpz-passthru.
*.deep.below.pol.nsd.test CNAME *.
good.sub.below.pol.nsd.test CNAME rpz-passthru.
*.passed.cloak.nsd.test CNAME rpz-passthru.
garden.pol.nsd.test A 192.0.2.1
garden.pol.nsd.test AAAA 2001:db8::1
`;

const running: ChildProcess[] = [];
let directory = "";
let us: ChildProcess;
let dig: Peer;
let kdig: Peer;

function start(file: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  const child = spawn(file, args, { cwd: directory, env: { ...process.env, ...env }, stdio: "ignore" });
  running.push(child);
  return child;
}

async function ask(endpoint: { address: string; port: number }, query: Buffer): Promise<Buffer | undefined> {
  const socket = createSocket("udp4");
  try {
    return await new Promise((resolve) => {
      setTimeout(() => resolve(undefined), 250);
      socket.on("error", () => resolve(undefined));
      socket.on("message", resolve);
      socket.send(query, endpoint.port, endpoint.address);
    });
  } finally {
    socket.close();
  }
}

function questionFor(name: string, type: "A" | "AAAA" | "MX" | "TXT" = "A"): Buffer {
  const flags = dnsPacket.RECURSION_DESIRED;
  return dnsPacket.encode({ type: "query", id: 77, flags, questions: [{ type, name }] });
}

async function answers(endpoint: { address: string; port: number }, name: string): Promise<void> {
  for (let tries = 0; tries < 80; tries += 1) {
    const reply = await ask(endpoint, questionFor(name));
    if (reply !== undefined && ((reply[3] ?? 0) & 15) === 0) return;
  }
  throw new Error(`${endpoint.address} never answered for ${name}`);
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "stitch-dns-"));
  [dig, kdig] = await Promise.all([peer("dig"), peer("kdig")]);
  const [nsd, unbound] = await Promise.all([peer("nsd"), peer("unbound")]);
  writeFileSync(join(directory, "nsd.test.zone"), ZONE);
  writeFileSync(join(directory, "nsd.conf"), nsdConf());
  writeFileSync(join(directory, "unbound.conf"), unboundConf());
  writeFileSync(join(directory, "policy.rpz"), POLICY);
  for (const name of ["us.test", "unbound.test"]) await certificate(name);
  writeFileSync(join(directory, "site.yaml"), siteYaml());
  start(nsd.program("nsd"), ["-d", "-c", join(directory, "nsd.conf")], nsd.env);
  start(unbound.program("unbound"), ["-d", "-c", join(directory, "unbound.conf")], unbound.env);
  us = start(process.execPath, [STITCH, "run", "dns", "-c", join(directory, "site.yaml")]);
  await answers(NSD, "www.nsd.test");
  await answers(UNBOUND, "www.nsd.test");
  await answers(US, "localhost");
});

afterAll(async () => {
  const ended = running
    .filter(({ exitCode }) => exitCode === null)
    .map((child) => new Promise<void>((resolve) => void child.once("exit", () => resolve())));
  for (const child of running) child.kill("SIGTERM");
  await Promise.all(ended);
  rmSync(directory, { recursive: true });
});

/** NAME.pem and NAME.key, signed by itself. */
async function certificate(name: string): Promise<void> {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", `${name}.key`];
  const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`, "-days", "2"];
  const openssl = await peer("openssl");
  await execa(openssl.program("openssl"), ["req", "-x509", ...key, ...subject, "-out", `${name}.pem`], {
    cwd: directory,
    env: openssl.env,
  });
}

function nsdConf(): string {
  return `server:
  ip-address: ${NSD.address}@${NSD.port}
  zonesdir: "${directory}"
  database: ""
  username: ""
  chroot: ""
  pidfile: "${directory}/nsd.pid"
  xfrdfile: "${directory}/xfrd.state"
  zonelistfile: "${directory}/zone.list"
  cookie-secret-file: "${directory}/cookies"
  server-count: 1
remote-control:
  control-enable: no
zone:
  name: nsd.test
  zonefile: nsd.test.zone
`;
}

function unboundConf(): string {
  return `server:
  interface: ${UNBOUND.address}@${UNBOUND.port}
  interface: ${UNBOUND.address}@${UNBOUND_TLS_PORT}
  tls-port: ${UNBOUND_TLS_PORT}
  tls-service-key: "unbound.test.key"
  tls-service-pem: "unbound.test.pem"
  directory: "${directory}"
  username: ""
  chroot: ""
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  do-not-query-localhost: no
  module-config: "respip iterator"
  local-zone: "test." transparent
remote-control:
  control-enable: no
rpz:
  name: "policy.test."
  zonefile: "${directory}/policy.rpz"
forward-zone:
  name: "nsd.test."
  forward-addr: ${NSD.address}@${NSD.port}
forward-zone:
  name: "loop.test."
  forward-addr: ${US.address}@${US.port}
`;
}

function siteYaml(): string {
  return `site: nyc
instance: nyc-1
dns:
  listen: ["${US.address}:${US.port}"]
  health: "127.0.0.1:${US.health}"
  tls: { listen: ["${US.address}:${TLS_PORT}"], cert: us.test.pem, key: us.test.key }
  policies: [ { file: policy.rpz, kind: rpz } ]
  routes:
    - zone: alias.nsd.test
      upstreams: ["tls://${UNBOUND.address}:${UNBOUND_TLS_PORT}#unbound.test"]
      tls: { ca: unbound.test.pem }
    - zone: big.nsd.test
      upstreams: ["tls://${UNBOUND.address}:${UNBOUND_TLS_PORT}#us.test"]
      tls: { ca: unbound.test.pem }
    - { zone: loop.test, upstreams: ["${UNBOUND.address}:${UNBOUND.port}"] }
    - { zone: nsd.test, upstreams: ["${NSD.address}:${NSD.port}"] }
    - { zone: www.nsd.test, upstreams: ["${UNBOUND.address}:${UNBOUND.port}"] }
`;
}

async function askWithDig(...args: readonly string[]): Promise<string> {
  const at = [`@${US.address}`, "-p", String(US.port), "+tries=1", "+time=3"];
  const { stdout } = await execa(dig.program("dig"), [...at, ...args], { env: dig.env, reject: false });
  return stdout;
}

describe("RFC 8906 section 8: whatever dig asks gets a fitting answer", () => {
  test.each<readonly [args: string, expected: readonly RegExp[]]>([
    ["+noedns +noad www.nsd.test A", [/NOERROR/, /192\.0\.2\.80/, /ADDITIONAL: 0/]],
    ["+noedns nsd.test SOA", [/NOERROR/, /SOA\s+ns\.nsd\.test/]],
    ["+noedns odd.nsd.test TYPE1000", [/NOERROR/, /TYPE1000\s+\\# 3 010203/]],
    ["+noedns www.nsd.test TYPE1000", [/NOERROR/, /ANSWER: 0/, /SOA/]],
    ["+noedns +cd www.nsd.test A", [/NOERROR/, /flags: qr rd ra cd;/]],
    ["+noedns +ad www.nsd.test A", [/NOERROR/, /flags: qr rd ra;/]],
    ["+noedns +zflag www.nsd.test A", [/NOERROR/, /flags: qr rd ra;/]],
    ["+noedns +header-only +opcode=15 +norec", [/NOTIMP/, /opcode: RESERVED15/]],
    ["+edns=0 www.nsd.test A", [/NOERROR/, /EDNS: version: 0/]],
    ["+edns=100 +noednsneg www.nsd.test A", [/BADVERS/, /EDNS: version: 0/, /ANSWER: 0/]],
    ["+edns=0 +ednsopt=100 www.nsd.test A", [/NOERROR/, /EDNS: version: 0/]],
    ["+edns=100 +noednsneg +ednsopt=100 www.nsd.test A", [/BADVERS/, /EDNS: version: 0/]],
    ["+edns=0 +ednsflags=0x80 www.nsd.test A", [/NOERROR/, /EDNS: version: 0, flags:;/]],
    ["+dnssec www.nsd.test A", [/NOERROR/, /EDNS: version: 0, flags: do;/]],
    ["+bufsize=512 +ignore large.nsd.test TXT", [/NOERROR/, /flags: qr tc rd ra;/, /EDNS: version: 0/]],
    ["+edns=0 +nsid www.nsd.test A", [/NOERROR/, /"nyc\/nyc-1"/]],
    ["+cookie www.nsd.test A", [/NOERROR/]],
    ["+subnet=192.0.2.0/24 www.nsd.test A", [/NOERROR/]],
    ["+tcp www.nsd.test AAAA", [/NOERROR/, /2001:db8::80/, /\(TCP\)/]],
    ["+tcp large.nsd.test TXT", [/NOERROR/, /llllllll/]],
    ["large.nsd.test TXT", [/Truncated, retrying in TCP/, /llllllll/, /\(TCP\)/]],
    ["alias.nsd.test A", [/NOERROR/, /CNAME\s+www\.nsd\.test/, /192\.0\.2\.80/]],
    ["nope.nsd.test A", [/NXDOMAIN/, /SOA/]],
    ["elsewhere.example A", [/REFUSED/, /EDE: 20 .*add dns\.routes/]],
    ["nsd.test ANY +notcp", [/NOERROR/, /HINFO\s+"RFC8482"/]],
    ["nsd.test AXFR", [/Transfer failed/]],
    ["id.server CH TXT", [/NOERROR/, /"nyc\/nyc-1"/]],
    ["-x 127.0.0.1", [/NOERROR/, /localhost\./]],
  ])("%s", async (args, expected) => {
    const output = await askWithDig(...args.split(" "));
    for (const pattern of expected) expect(output).toMatch(pattern);
  });
});

test("kdig keeps one connection for several questions", async () => {
  const names = ["www.nsd.test", "alias.nsd.test", "localhost"];
  const args = [`@${US.address}`, "-p", String(US.port), "+tcp", "+keepopen", ...names];
  const { stdout } = await execa(kdig.program("kdig"), args, { env: kdig.env });
  expect(stdout.match(/status: NOERROR/g)?.length).toBe(3);
});

async function askKdig(...args: readonly string[]): Promise<string> {
  const at = [`@${US.address}`, "-p", String(TLS_PORT), "+tls-ca=us.test.pem", "+tls-hostname=us.test"];
  const options = { env: kdig.env, cwd: directory, reject: false };
  return (await execa(kdig.program("kdig"), [...at, ...args], options)).stdout;
}

describe("DNS over TLS", () => {
  test("kdig verifies us and gets answers, padded when it pads", async () => {
    const output = await askKdig("+padding=128", "www.nsd.test", "A");
    expect(output).toMatch(/TLS session \(TLS1\.3\)/);
    expect(output).toMatch(/192\.0\.2\.80/);
    expect(output).toMatch(/PADDING: \d+ B/);
    expect(output).toMatch(/Received 468 B/);
    expect(await askKdig("+nopadding", "www.nsd.test", "A")).not.toMatch(/PADDING/);
  });

  test("unbound is asked, and found to be who it should", async () => {
    const output = await askKdig("alias.nsd.test", "A");
    expect(output).toMatch(/CNAME\s+www\.nsd\.test/);
    expect(output).toMatch(/192\.0\.2\.80/);
  });

  test("unbound under another's name is not", async () => {
    expect(await askKdig("big.nsd.test", "TXT")).toMatch(/SERVFAIL/);
  });
});

function dataOf(bytes: Buffer): unknown[] {
  return (dnsPacket.decode(bytes).answers ?? []).map((record) => ("data" in record ? record.data : undefined));
}

test("an answer is the same as the upstream's own, in the client's spelling, and reads back", async () => {
  const ours = await ask(US, questionFor("ALIAS.nsd.test"));
  const theirs = await ask(NSD, questionFor("alias.nsd.test"));
  if (ours === undefined || theirs === undefined) throw new Error("no answer");
  expect(dataOf(ours)).toEqual(dataOf(theirs));
  expect(decodeMessage(ours).ok).toBe(true);
  expect(dnsPacket.decode(ours).questions?.[0]?.name).toBe("ALIAS.nsd.test");
});

/** Answers to all of these, asked at once over one connection. */
function askAtOnce(queries: readonly Buffer[]): Promise<Buffer[]> {
  const socket = connect({ host: US.address, port: US.port });
  const frames = new Frames();
  const replies: Buffer[] = [];
  return new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("close", () => reject(new Error(`closed after ${replies.length} answers`)));
    socket.on("data", (chunk: Buffer) => {
      frames.push(chunk);
      for (let frame = frames.next(); frame !== undefined; frame = frames.next()) replies.push(Buffer.from(frame));
      if (replies.length < queries.length) return;
      resolve(replies);
      socket.destroy();
    });
    for (const query of queries) socket.write(framed(query));
  });
}

/** Connections to this server from anywhere, those that were closed a moment ago included (proc(5), /proc/net/tcp). */
function connectionsTo({ address, port }: { readonly address: string; readonly port: number }): number {
  const hex = Buffer.from(address.split(".").map(Number).toReversed()).toString("hex").toUpperCase();
  const remote = `${hex}:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = readFileSync("/proc/net/tcp", "utf8").split("\n");
  return lines.filter((line) => line.trim().split(/\s+/)[2] === remote).length;
}

test("answers that do not fit UDP are had of nsd over connections that are kept, many at once", async () => {
  const names = Array.from({ length: 60 }, (_, i) => `n${i}.large.nsd.test`);
  for (const some of [names.slice(0, 50), names.slice(50)]) {
    for (const reply of await askAtOnce(some.map((name) => questionFor(name, "TXT")))) {
      expect([(reply[3] ?? 0) & 15, dataOf(reply).length]).toEqual([0, 2]);
      expect(reply.length).toBeGreaterThan(2_400);
    }
  }
  const connections = connectionsTo(NSD);
  expect(connections).toBeGreaterThan(0);
  expect(connections).toBeLessThanOrEqual(4);
});

test("unbound, where it forwards a zone to us that we forward to it, is left out for that zone alone", async () => {
  await vi.waitFor(
    async () => expect(await askWithDig("_explain.www.loop.test", "TXT")).toContain("forwards to us what we ask it"),
    { timeout: 40_000, interval: 200 },
  );
  const output = await askWithDig("www.loop.test", "A");
  expect(output).toMatch(/SERVFAIL/);
  expect(output).toMatch(/every upstream of this route forwards to us: a loop/);
  expect(await askWithDig("www.nsd.test", "A")).toMatch(/192\.0\.2\.80/);
});

test.each([
  "gone",
  "x.gone",
  "empty",
  "x.empty",
  "below",
  "x.below",
  "free.below",
  "x.free.below",
  "x.deep.below",
  "y.x.deep.below",
  "deep.below",
  "garden",
  "x.garden",
  "GONE",
  "sub.below",
  "x.sub.below",
  "good.sub.below",
  "x.good.sub.below",
])("a response policy zone means to us what it means to unbound: %s.pol.nsd.test", async (label) => {
  for (const type of ["A", "AAAA", "MX"] as const) {
    const query = questionFor(`${label}.pol.nsd.test`, type);
    const [ours, theirs] = [await ask(US, query), await ask(UNBOUND, query)];
    if (ours === undefined || theirs === undefined) throw new Error("no answer");
    expect([(ours[3] ?? 0) & 15, dataOf(ours)]).toEqual([(theirs[3] ?? 0) & 15, dataOf(theirs)]);
  }
});

// Of names that have never been asked for: unbound 1.17 judges what its upstream answers, and forgets to for what it has in its
// cache (NLnetLabs/unbound#954). A DNAME makes as many as are wanted.
test.each(["below", "deep", "empty", "walled", "passed", "plain"])(
  "a response policy zone means to us what it means to unbound, of an alias: %s.cloak.nsd.test",
  async (label) => {
    const query = questionFor(`${randomUUID()}.${label}.cloak.nsd.test`);
    const [ours, theirs] = [await ask(US, query), await ask(UNBOUND, query)];
    if (ours === undefined || theirs === undefined) throw new Error("no answer");
    expect([(ours[3] ?? 0) & 15, dataOf(ours)]).toEqual([(theirs[3] ?? 0) & 15, dataOf(theirs)]);
    expect(dataOf(ours).length).toBeGreaterThanOrEqual(2);
  },
);

test("a second resolver on the same address says what holds it and exits with 2", async () => {
  const file = join(directory, "again.yaml");
  writeFileSync(file, siteYaml().replace(String(US.health), "18754"));
  const result = await execa(process.execPath, [STITCH, "run", "dns", "-c", file], { reject: false });
  expect(result.exitCode).toBe(2);
  expect(result.stdout).toContain(`cannot bind udp ${US.address}:${US.port}: another program holds it`);
});

test("SIGTERM ends it within the linger, with 0", async () => {
  const ended = new Promise<number | null>((resolve) => void us.once("exit", resolve));
  us.kill("SIGTERM");
  expect(await ended).toBe(0);
});
