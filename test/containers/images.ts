import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { peer } from "@stitch/peers";
import { execa } from "execa";
import { CACHE, type Engine, ROOT } from "./engine.ts";
import { type Progress, timed } from "./timed.ts";

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

/**
 * Everything that the tests run, from nothing but this machine's package mirrors. `engine` has the machine's network.
 * What does not need each other is made at the same time: most of it is waiting for mirrors.
 */
export async function buildImages(engine: Engine, progress: Progress): Promise<void> {
  const folder = join(CACHE, "base");
  rmSync(folder, { recursive: true, force: true });
  const one = (image: string, args: readonly string[]): Promise<void> =>
    timed(progress, image, () => build(engine, ["-t", image, ...args]));
  if ((await engine.docker(["images", "--quiet", DEBIAN])) === "")
    await timed(progress, `${DEBIAN} by mmdebstrap`, () => importDebian(engine));
  await Promise.all([
    one(FRR_IMAGE, [join(ROOT, "docker/frr")]),
    (async () => {
      await nodeContext(join(folder, "node"));
      await one(NODE, [join(folder, "node")]);
      await compilerContext(join(folder, "build"));
      await one(NODE_BUILD, [join(folder, "build")]);
      const ours = [
        "--label",
        `org.opencontainers.image.revision=${await revision()}`,
        "-f",
        "docker/Dockerfile",
        ROOT,
      ];
      await Promise.all(Object.entries(IMAGES).map(([target, image]) => one(image, ["--target", target, ...ours])));
    })(),
  ]);
}

async function revision(): Promise<string> {
  return (await execa("git", ["rev-parse", "HEAD"], { cwd: ROOT, reject: false })).stdout || "unknown";
}

async function build(engine: Engine, args: readonly string[]): Promise<void> {
  const argv = ["build", "--quiet", "--network", "host", ...args];
  const env = { ...engine.env, DOCKER_BUILDKIT: "1" };
  await execa("docker", argv, { cwd: ROOT, env, timeout: BUILD_LIMIT_MS, stdin: "ignore" });
}

/** Debian as a registry would have given it, from this machine's own mirror. */
async function importDebian(engine: Engine): Promise<void> {
  const mmdebstrap = await peer("mmdebstrap");
  const archive = join(CACHE, "debian.tar");
  const options = [
    "--variant=minbase",
    "--include=ca-certificates,libatomic1", // Node needs the second
    // As in Debian's own images: nobody reads manuals there, and a power cut in the midst of a build costs nothing.
    ...["man", "doc", "locale"].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
    "--dpkgopt=force-unsafe-io",
  ];
  const argv = [
    mmdebstrap.program("mmdebstrap"),
    "--mode=root",
    "--quiet",
    ...options,
    RELEASE,
    archive,
    await mirror(),
  ];
  // What it mounts in the tree ends with the mount namespace, however it ends.
  const path = `${mmdebstrap.path("usr/bin")}:${process.env["PATH"] ?? ""}`; // it calls a filter that lies beside it
  const env = { ...mmdebstrap.env, PATH: path, LC_ALL: "C", TMPDIR: CACHE };
  await execa("unshare", ["--mount", "--propagation", "private", ...argv], { env, timeout: BUILD_LIMIT_MS });
  await engine.docker(["import", "--change", 'CMD ["bash"]', archive, DEBIAN]);
  rmSync(archive);
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
