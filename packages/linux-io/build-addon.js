/**
 * Builds the native addon with node-gyp against the headers of the Node that runs this; called after `npm ci`. Where it
 * cannot be built it says why, and Stitch runs on node:dgram. An addon that is up to date is left alone.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
/** The prefix that holds include/node. */
const PREFIX = dirname(dirname(process.execPath));
/** With AddressSanitizer and UndefinedBehaviorSanitizer, beside the normal one; `node --conditions=sanitized` loads it. */
const SANITIZED = process.argv.includes("--sanitize");
/** node-gyp always builds in ./build: the sanitized addon gets a folder of its own around it. */
const WHERE = SANITIZED ? join(HERE, "build-sanitized") : HERE;
const ADDON = join(WHERE, "build", "Release", "linux_io.node");
const STAMP = join(WHERE, "build", "built-from");

function say(text) {
  process.stdout.write(`linux-io: ${text}\n`);
}

function instead(why) {
  say(`${why}; datagrams will go through node:dgram, which is right and slower`);
  process.exit(0);
}

/** What the addon is made of: its sources, the Node that it is for, and how. */
function fingerprint() {
  const hash = createHash("sha256").update(`${process.version} ${process.arch} ${SANITIZED}`);
  hash.update(readFileSync(join(HERE, "binding.gyp")));
  for (const file of readdirSync(join(HERE, "native")).toSorted())
    hash.update(readFileSync(join(HERE, "native", file)));
  return hash.digest("hex");
}

function upToDate(print) {
  return existsSync(ADDON) && existsSync(STAMP) && readFileSync(STAMP, "utf8") === print;
}

/** The sources, seen from the sanitized addon's folder. */
function layOut() {
  rmSync(WHERE, { recursive: true, force: true });
  mkdirSync(WHERE);
  for (const part of ["binding.gyp", "native"]) symlinkSync(join("..", part), join(WHERE, part));
}

function nodeGyp() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("node-gyp/package.json")), "bin", "node-gyp.js");
  } catch {
    return undefined;
  }
}

if (process.platform !== "linux") instead("the native addon is for Linux");
const gyp = nodeGyp();
if (gyp === undefined) instead("node-gyp is not installed (a development dependency)");
if (!existsSync(join(PREFIX, "include", "node", "node_api.h"))) instead(`no headers beside ${process.execPath}`);
const print = fingerprint();
if (upToDate(print)) {
  say("the addon is up to date");
  process.exit(0);
}
if (SANITIZED) layOut();
const args = [gyp, "rebuild", `--nodedir=${PREFIX}`, ...(SANITIZED ? ["--", "-Dsanitize=1"] : [])];
const built = spawnSync(process.execPath, args, { cwd: WHERE, encoding: "utf8" });
if (built.status !== 0 || !existsSync(ADDON)) {
  process.stdout.write(`${built.stdout ?? ""}${built.stderr ?? ""}\n`);
  instead("the addon could not be built (it needs a C compiler, make and Python 3)");
}
writeFileSync(STAMP, print);
say(`addon built for Node ${process.version}`);
