#!/usr/bin/env -S nice -n 19 node
// The images' HEALTHCHECK: 0 when every role of this container says of itself that it serves. What `docker ps` shows; the
// route does not depend on it (the announcer holds the leases). Roles come from STITCH_ROLES, the file from STITCH_SITE. It lets
// all else go first, and it remembers where to ask as long as the file stays what it is: to load what reads the file took half a
// second of processor every ten seconds, and a flooded resolver that once lost its lease, and so its route, lost it in the
// second of a check.
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { get } from "node:http";

const LIMIT_MS = 2_000;
const ACCOUNT = 65_532;
const FILE = process.env["STITCH_SITE"] ?? "/etc/stitch/site.yaml";
const ROLES = process.env["STITCH_ROLES"] ?? "all";
/** The container's own where it has it. The other is writable where nothing else is, but the containers of a pod share it. */
const OWN = "/run/stitch";
const OTHER = "/dev/shm";
const MEMORY = `stitch-healthcheck-${ROLES.replaceAll(/\W/g, "-")}`;

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

/** What tells one state of the file, and one image, from the next; undefined when there is no file. */
function stateOfFile() {
  const facts = statSync(FILE, { bigint: true, throwIfNoEntry: false });
  if (facts === undefined) return undefined;
  const { dev, ino } = statSync(import.meta.filename);
  return [FILE, facts.dev, facts.ino, facts.size, facts.mtimeNs, facts.ctimeNs, ROLES, dev, ino].join(" ");
}

function memory() {
  try {
    accessSync(OWN, constants.W_OK);
    return `${OWN}/${MEMORY}`;
  } catch {
    return `${OTHER}/${MEMORY}`;
  }
}

/** What an earlier check found in this state of the file. Where the folder is shared, another account's file is not believed. */
function remembered(state) {
  try {
    const file = openSync(memory(), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const facts = fstatSync(file);
      if (!facts.isFile() || facts.uid !== process.getuid() || (facts.mode & 0o022) !== 0) return undefined;
      const found = JSON.parse(readFileSync(file, "utf8"));
      return found.state === state ? found.places : undefined;
    } finally {
      closeSync(file);
    }
  } catch {
    return undefined;
  }
}

function discard(file) {
  try {
    unlinkSync(file);
  } catch {
    return; // gone, or a neighbour's by now
  }
}

/** Where nothing can be written, the next check reads the file again. */
function remember(state, places) {
  const place = memory();
  const draft = `${place}.${process.pid}`;
  try {
    writeFileSync(draft, JSON.stringify({ state, places }), { flag: "wx", mode: 0o600 });
  } catch {
    return;
  }
  try {
    renameSync(draft, place);
  } catch {
    discard(draft);
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
