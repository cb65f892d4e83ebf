#!/usr/bin/env -S nice -n 19 node
// The images' HEALTHCHECK: 0 when every role of this container says of itself that it serves. What `docker ps` shows; the
// route does not depend on it (the announcer holds the leases). Roles come from STITCH_ROLES, the file from STITCH_SITE. It lets
// all else go first: it takes half a second of processor every ten seconds, and a flooded resolver that once lost its lease, and so
// its route, lost it in the second of a check.
import { get } from "node:http";
import { SiteDocument } from "@stitch/config";

const LIMIT_MS = 2_000;
const ACCOUNT = 65_532;
const FILE = process.env["STITCH_SITE"] ?? "/etc/stitch/site.yaml";
const wanted = (process.env["STITCH_ROLES"] ?? "all").split(" ");

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
const site = SiteDocument.load(FILE);
const roles = Object.keys(WHERE).filter((role) => (wanted.includes("all") ? site.has(role) : wanted.includes(role)));
const answers = await Promise.all(roles.map(async (role) => ask(role, await WHERE[role](site))));
const ill = roles.length === 0 ? [`${FILE} describes none of: ${wanted.join(", ")}`] : answers.filter(Boolean);
if (ill.length === 0) end(0, `${roles.join(", ")}: well`);
else end(1, ill.join("; "));
