import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { peer } from "@stitch/peers";
import { execa } from "execa";
import { CACHE, type Engine, ROOT } from "./engine.ts";

/** Dockerfile target -> image, as compose.yaml and the lab name them. */
export const IMAGES = {
  dns: "stitch-dns:0.1.0",
  syslog: "stitch-syslog:0.1.0",
  ntp: "stitch-ntp:0.1.0",
  announcer: "stitch-announcer:0.1.0",
  addresses: "stitch-addresses:0.1.0",
  site: "stitch:0.1.0",
} as const;
export const FRR_IMAGE = "stitch-frr:8.4";

const DEBIAN = "debian:bookworm-slim";
const NODE = "node:26-bookworm-slim";
const NODE_BUILD = "node:26-bookworm";
const RELEASE = "bookworm";
/** A mirror may be slow; a build that takes longer than this hangs. */
const BUILD_LIMIT_MS = 300_000;

type Progress = (line: string) => void;

/** Everything that the tests run, from nothing but this machine's package mirrors. `engine` has the machine's network. */
export async function buildImages(engine: Engine, progress: Progress): Promise<void> {
  await baseImages(engine, progress);
  const revision = (await execa("git", ["rev-parse", "HEAD"], { cwd: ROOT, reject: false })).stdout || "unknown";
  for (const [target, image] of Object.entries(IMAGES)) {
    progress(`containers: building ${image}`);
    const what = [
      "-f",
      "docker/Dockerfile",
      "--target",
      target,
      "--label",
      `org.opencontainers.image.revision=${revision}`,
    ];
    await build(engine, [...what, "-t", image, ROOT]);
  }
  progress(`containers: building ${FRR_IMAGE}`);
  await build(engine, ["-t", FRR_IMAGE, join(ROOT, "docker/frr")]);
}

async function build(engine: Engine, args: readonly string[]): Promise<void> {
  const [file = "", ...rest] = ["docker", "build", "--quiet", "--network", "host", ...args];
  await execa(file, rest, { cwd: ROOT, env: engine.env, timeout: BUILD_LIMIT_MS, stdin: "ignore" });
}

/** What a registry would have given: Debian by debootstrap, the repository's own Node on it, and that with a compiler. */
async function baseImages(engine: Engine, progress: Progress): Promise<void> {
  if ((await engine.docker(["images", "--quiet", DEBIAN])) === "") {
    progress(`containers: making ${DEBIAN} by debootstrap, about a minute`);
    await importDebian(engine);
  }
  const folder = join(CACHE, "base");
  rmSync(folder, { recursive: true, force: true });
  await nodeContext(join(folder, "node"));
  await build(engine, ["-t", NODE, join(folder, "node")]);
  progress(`containers: building ${NODE_BUILD}`);
  await compilerContext(join(folder, "build"));
  await build(engine, ["-t", NODE_BUILD, join(folder, "build")]);
}

async function importDebian(engine: Engine): Promise<void> {
  const debootstrap = await peer("debootstrap");
  const folder = join(CACHE, "debian");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(CACHE, { recursive: true });
  // Node needs libatomic1. The mounts that debootstrap makes in the tree end with the mount namespace.
  const packages = "--include=ca-certificates,libatomic1";
  const argv = [debootstrap.program("debootstrap"), "--variant=minbase", packages, RELEASE, folder, await mirror()];
  const env = { ...debootstrap.env, LC_ALL: "C" };
  await execa("unshare", ["--mount", "--propagation", "private", ...argv], { env, timeout: BUILD_LIMIT_MS });
  const unneeded = ["var/cache/apt", "var/lib/apt/lists", "usr/share/man", "usr/share/doc", "usr/share/locale"];
  for (const path of unneeded) rmSync(join(folder, path), { recursive: true, force: true });
  const line = `tar -C '${folder}' --numeric-owner -c . | docker import -c 'CMD ["bash"]' - ${DEBIAN}`;
  await execa("sh", ["-c", line], { env: engine.env, timeout: BUILD_LIMIT_MS });
  rmSync(folder, { recursive: true, force: true });
}

/** The mirror that this machine's own apt uses. */
async function mirror(): Promise<string> {
  const format = "$(REPO_URI) $(RELEASE) $(COMPONENT)";
  const { stdout } = await execa("apt-get", ["indextargets", "--format", format, "Created-By: Packages"]);
  const found = stdout.split("\n").map((line) => line.split(" "));
  const uri = found.find(([, release, component]) => release === RELEASE && component === "main")?.[0];
  if (uri === undefined) throw new Error(`apt has no source of Debian ${RELEASE}, of which the images are made`);
  return uri;
}

/** The Node that runs this test, its headers, and this machine's npm, where the official image has them. */
async function nodeContext(folder: string): Promise<void> {
  const files = join(folder, "files/usr/local");
  const prefix = dirname(dirname(process.execPath));
  const { stdout: modules } = await execa("npm", ["root", "--global"]);
  cpSync(process.execPath, join(files, "bin/node"));
  cpSync(join(prefix, "include/node"), join(files, "include/node"), { recursive: true });
  cpSync(join(modules, "npm"), join(files, "lib/node_modules/npm"), { recursive: true, verbatimSymlinks: true });
  const npm = "ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm";
  writeFileSync(join(folder, "Dockerfile"), `FROM ${DEBIAN}\nCOPY files /\nRUN ${npm}\nCMD ["node"]\n`);
}

/** The compiler, and how this machine reaches its npm registry: in the image that builds, never in one that runs. */
async function compilerContext(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const settings = ["registry", "replace-registry-host"];
  const lines = await Promise.all(settings.map(async (name) => `${name}=${await npmConfig(name)}`));
  const authorities = await npmConfig("cafile");
  const cafile = join("/usr/local/share", "npm-authorities.crt");
  if (authorities !== "null") {
    cpSync(authorities, join(folder, "npm-authorities.crt"));
    lines.push(`cafile=${cafile}`);
  }
  writeFileSync(join(folder, "npmrc"), `${lines.join("\n")}\n`);
  const dockerfile = [
    `FROM ${NODE}`,
    "RUN apt-get update && apt-get install -y --no-install-recommends g++ make python3 && rm -rf /var/lib/apt/lists/*",
    "COPY npmrc /usr/local/etc/npmrc",
    ...(authorities === "null" ? [] : [`COPY npm-authorities.crt ${cafile}`]),
  ];
  writeFileSync(join(folder, "Dockerfile"), `${dockerfile.join("\n")}\n`);
}

async function npmConfig(name: string): Promise<string> {
  return (await execa("npm", ["config", "get", name], { cwd: ROOT })).stdout.trim();
}
