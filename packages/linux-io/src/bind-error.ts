import { formatEndpoint, type Endpoint } from "./endpoint.ts";

/** An address that could not be bound; the message says which, why, and what to do. */
export class BindError extends Error {
  override readonly name = "BindError";
  readonly local: Endpoint;
  readonly code: string;

  constructor(local: Endpoint, protocol: "udp" | "tcp", cause: NodeJS.ErrnoException, platform: NodeJS.Platform) {
    const code = cause.code ?? "unknown";
    super(`cannot bind ${protocol} ${formatEndpoint(local)}: ${advice(local, protocol, code, platform)}`, { cause });
    this.local = local;
    this.code = code;
  }
}

function advice(local: Endpoint, protocol: string, code: string, platform: NodeJS.Platform): string {
  switch (code) {
    case "EADDRINUSE":
      return `another program holds it; find it with \`${holder(local, protocol, platform)}\`, stop it or choose another port`;
    case "EADDRNOTAVAIL":
      return `the address is not on this machine; add it with \`${addAddress(local, platform)}\``;
    case "EACCES":
    case "EPERM":
      return permission(local, platform);
    case "EAFNOSUPPORT":
      return `this machine has no ${local.address.includes(":") ? "IPv6" : "IPv4"}; take the address out of the configuration`;
    case "EINVAL":
      return "this is no address to bind; a link-local one needs its interface, as in fe80::1%eth0";
    case "EMFILE":
    case "ENFILE":
      return "too many files are open; raise the limit (`ulimit -n`) or listen on fewer addresses";
    case "ERR_SOCKET_BAD_PORT":
      return "ports go from 1 to 65535 (0 lets the system choose)";
    default:
      return `the system says ${code}`;
  }
}

function permission(local: Endpoint, platform: NodeJS.Platform): string {
  if (platform !== "linux") return "ports below 1024 need root";
  return `ports below 1024 need root, CAP_NET_BIND_SERVICE or the sysctl net.ipv4.ip_unprivileged_port_start=${local.port}`;
}

function holder(local: Endpoint, protocol: string, platform: NodeJS.Platform): string {
  if (platform === "darwin") return `lsof -n -i ${protocol}:${local.port}`;
  return `ss -${protocol === "udp" ? "u" : "t"}lnp sport = :${local.port}`;
}

/** The command that puts `address` on the loopback interface of this kind of machine. */
export function addAddress(local: Endpoint, platform: NodeJS.Platform): string {
  const ipv6 = local.address.includes(":");
  if (platform === "darwin") {
    return ipv6
      ? `sudo ifconfig lo0 inet6 alias ${local.address} prefixlen 128`
      : `sudo ifconfig lo0 alias ${local.address} 255.255.255.255`;
  }
  return `ip address add ${local.address}/${ipv6 ? 128 : 32} dev lo`;
}
