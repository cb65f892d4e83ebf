#!/usr/bin/env -S nice -n 19 node
// The images' HEALTHCHECK: 0 when every role of this container says of itself that it serves. What `docker ps` shows; the
// route does not depend on it (the announcer holds the leases). Roles come from STITCH_ROLES, the file from STITCH_SITE. It lets
// all else go first, and it remembers where to ask as long as the file stays what it is: to load what reads the file took half a
// second of processor every ten seconds, and a flooded resolver that once lost its lease, and so its route, lost it in the
// second of a check.
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { get } from "node:http";

const LIMIT_MS = 2_000;
const ACCOUNT = 65_532;
const FILE = process.env["STITCH_SITE"] ?? "/etc/stitch/site.yaml";
const ROLES = process.env["STITCH_ROLES"] ?? "all";
/** Writable where nothing else is. The containers of a pod share it, so each has a file of its own. */
const MEMORY = `/dev/shm/stitch-healthcheck-${ROLES.replaceAll(/\W/g, "-")}`;

/** Where each role answers for itself. A role is imported only when it is asked for. */
const WHERE = {
  dns: async (site) => service((await import("@stitch/dns-resolver")).dnsConfig(site)),
  syslog: async (site) => service((await import("@stitch/syslog-collector")).syslogConfig(site)),
  ntp: async (site) => service((await import("@stitch/sntp-responder")).ntpConfig(site)),
  announcer: async (site) => ({
    socketPath: (await import("@stitch/announcer")).announcerConfig(site).control,
    path: "/status",
  }),
};

function service({ health }) {
  return { host: health.address, port: health.port, path: "/health" };
}

/** By role. The file itself is read. */
async function placesInFile() {
  const { SiteDocument } = await import("@stitch/config");
  const site = SiteDocument.load(FILE);
  const wanted = ROLES.split(" ");
  const roles = Object.keys(WHERE).filter((role) => (wanted.includes("all") ? site.has(role) : wanted.includes(role)));
  return Object.fromEntries(await Promise.all(roles.map(async (role) => [role, await WHERE[role](site)])));
}

/** What tells one state of the file from the next; undefined when there is no file. */
function stateOfFile() {
  const facts = statSync(FILE, { bigint: true, throwIfNoEntry: false });
  return facts === undefined ? undefined : [FILE, ROLES, facts.ino, facts.size, facts.mtimeNs, facts.ctimeNs].join(" ");
}

/** What an earlier check found in this state of the file. In a /dev/shm that is shared, a stranger's file is not believed. */
function remembered(state) {
  try {
    const file = openSync(MEMORY, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const facts = fstatSync(file);
      if (!facts.isFile() || facts.uid !== process.getuid() || (facts.mode & 0o022) !== 0) return undefined;
      const memory = JSON.parse(readFileSync(file, "utf8"));
      return memory.state === state ? memory.places : undefined;
    } finally {
      closeSync(file);
    }
  } catch {
    return undefined;
  }
}

/** Where nothing can be written, the next check reads the file again. */
function remember(state, places) {
  const draft = `${MEMORY}.${process.pid}`;
  try {
    writeFileSync(draft, JSON.stringify({ state, places }), { flag: "wx", mode: 0o600 });
    renameSync(draft, MEMORY);
  } catch {
    rmSync(draft, { force: true });
  }
}

async function whereToAsk() {
  const state = stateOfFile();
  const known = state === undefined ? undefined : remembered(state);
  if (known !== undefined) return known;
  const places = await placesInFile();
  if (state !== undefined) remember(state, places);
  return places;
}

/** Undefined when the role is well, otherwise a sentence. */
function ask(role, where) {
  return new Promise((resolve) => {
    const request = get({ ...where, timeout: LIMIT_MS }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? undefined : `${role}: ${where.path} says ${response.statusCode}`);
    });
    request.on("timeout", () => request.destroy(new Error(`no answer in ${LIMIT_MS} ms`)));
    request.on("error", (failure) => resolve(`${role}: ${failure.message}`));
  });
}

// On the host's network a container starts as root, which has no right to the control socket of 65532.
if (process.getuid() === 0) {
  process.setgroups([]);
  process.setgid(ACCOUNT);
  process.setuid(ACCOUNT);
}
/** A file that cannot be used is a sentence too. */
function end(code, text) {
  process.stdout.write(`${text}\n`, () => process.exit(code));
}
process.on("uncaughtException", (failure) => end(1, failure.message));
const places = await whereToAsk();
const roles = Object.keys(places);
const answers = await Promise.all(roles.map((role) => ask(role, places[role])));
const ill = roles.length === 0 ? [`${FILE} describes none of: ${ROLES}`] : answers.filter(Boolean);
if (ill.length === 0) end(0, `${roles.join(", ")}: well`);
else end(1, ill.join("; "));
