import type { Peer } from "./peer.ts";

/** What a command finds at the machine's own paths, in a mount namespace of its own: nothing on the machine changes. */
export interface PrivateEtc {
  /** Their /etc (PAM files, defaults), accounts and run directories are added. */
  readonly peers?: readonly Peer[];
  /** Directories made empty and writable, for example `/var/lib/stitch`. Their contents end with the command. */
  readonly directories?: readonly string[];
  /** Copied into place: absolute path -> source. */
  readonly files?: Readonly<Record<string, string>>;
}

// Ids above what distributions hand out and below `nobody`; they exist only in the private /etc.
const FIRST_ID = 64_100;

/**
 * Wraps a command: `unshare --mount`, a private copy of /etc with the peers' accounts, a private /run.
 * The command keeps the pid of the wrapper (each step execs the next), so killing what was spawned kills it, and
 * `nsenter --target PID --mount` sees what it sees. Needs root.
 */
export function inPrivateEtc(argv: readonly string[], options: PrivateEtc = {}): string[] {
  return ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", privateEtcScript(options), "sh", ...argv];
}

/** The shell lines by themselves, ending in `exec "$@"`, for a caller that has made its own namespaces. */
export function privateEtcScript(options: PrivateEtc = {}): string {
  const peers = options.peers ?? [];
  const lines = [
    "set -e",
    // Built aside and moved over: /etc is never half there. /mnt is only a place to build it.
    "mount -t tmpfs -o mode=755 tmpfs /mnt && cp -a /etc/. /mnt/ && mount --move /mnt /etc",
    "mount -t tmpfs -o mode=755 tmpfs /run",
    ...peers.map((peer) => `if [ -d ${quote(peer.path("etc"))} ]; then cp -a ${quote(peer.path("etc"))}/. /etc/; fi`),
    ...accountsOf(peers),
    ...peers.flatMap((peer) => runDirectories(peer)),
    ...peers.filter((peer) => peer.facts.overUsr).map((peer) => layOverUsr(peer)),
    SHADOW,
    ...peers.flatMap((peer) => privateDirectories(peer)),
    ...(options.directories ?? []).map((directory) => `private_directory ${quote(directory)}`),
    ...Object.entries(options.files ?? {}).map(
      ([to, from]) => `mkdir -p "$(dirname ${quote(to)})"; cp ${quote(from)} ${quote(to)}`,
    ),
    'exec "$@"',
  ];
  return lines.join("\n");
}

// A mount needs a mount point. Where the machine lacks the directory, its parent is rebuilt from bind mounts of what it holds.
const SHADOW = `private_directory() {
  if [ ! -d "$1" ]; then
    parent=$(dirname "$1"); mount -t tmpfs -o mode=755 tmpfs /mnt
    for child in "$parent"/*; do
      name=$(basename "$child")
      if [ -L "$child" ]; then cp -a "$child" /mnt/
      elif [ -d "$child" ]; then mkdir "/mnt/$name"; mount --rbind "$child" "/mnt/$name"
      elif [ -e "$child" ]; then : > "/mnt/$name"; mount --bind "$child" "/mnt/$name"; fi
    done
    mkdir "/mnt/$(basename "$1")"; mount --move /mnt "$parent"
  fi
  mount -t tmpfs -o mode=755 tmpfs "$1"
}`;

function accountsOf(peers: readonly Peer[]): string[] {
  const groups = peers.flatMap((peer) => Object.entries(peer.facts.groups ?? {}));
  const users = peers.flatMap((peer) => peer.facts.users ?? []);
  const ids = new Map([...groups.map(([group]) => group), ...users].map((name, index) => [name, FIRST_ID + index]));
  return [
    ...groups.map(([group, members]) => account("/etc/group", group, `x:${ids.get(group)}:${members.join(",")}`)),
    ...users.map((user) =>
      account("/etc/passwd", user, `x:${ids.get(user)}:${ids.get(user)}::/nonexistent:/bin/false`),
    ),
  ];
}

function account(file: string, name: string, fields: string): string {
  return `grep -q ${quote(`^${name}:`)} ${file} || echo ${quote(`${name}:${fields}`)} >> ${file}`;
}

function runDirectories(peer: Peer): string[] {
  const owner = peer.facts.users?.[0];
  return (peer.facts.runDirectories ?? []).map(
    (directory) =>
      `mkdir -p ${directory}${owner === undefined ? "" : `; chown ${owner}: ${directory}`}; chmod 775 ${directory}`,
  );
}

function privateDirectories(peer: Peer): string[] {
  const owner = peer.facts.users?.[0];
  return (peer.facts.privateDirectories ?? []).map(
    (directory) => `private_directory ${directory}${owner === undefined ? "" : `; chown ${owner}: ${directory}`}`,
  );
}

function layOverUsr(peer: Peer): string {
  return `mount -t overlay overlay -o ${quote(`lowerdir=${peer.path("usr")}:/usr`)} /usr`;
}

/** One shell word. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
