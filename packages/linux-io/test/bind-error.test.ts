import { expect, test } from "vitest";
import { BindError, type Endpoint } from "../src/index.ts";

const V4: Endpoint = { address: "10.10.10.53", port: 53 };
const V6: Endpoint = { address: "fd00:10:10::53", port: 53 };

test.each<[string, Endpoint, "udp" | "tcp", NodeJS.Platform, string]>([
  [
    "EADDRINUSE",
    V4,
    "udp",
    "linux",
    "cannot bind udp 10.10.10.53:53: another program holds it; find it with `ss -ulnp sport = :53`, stop it or choose another port",
  ],
  [
    "EADDRINUSE",
    V4,
    "tcp",
    "linux",
    "cannot bind tcp 10.10.10.53:53: another program holds it; find it with `ss -tlnp sport = :53`, stop it or choose another port",
  ],
  [
    "EADDRINUSE",
    V6,
    "udp",
    "darwin",
    "cannot bind udp [fd00:10:10::53]:53: another program holds it; find it with `lsof -n -i udp:53`, stop it or choose another port",
  ],
  [
    "EADDRNOTAVAIL",
    V4,
    "udp",
    "linux",
    "cannot bind udp 10.10.10.53:53: the address is not on this machine; add it with `ip address add 10.10.10.53/32 dev lo`",
  ],
  [
    "EADDRNOTAVAIL",
    V6,
    "udp",
    "linux",
    "cannot bind udp [fd00:10:10::53]:53: the address is not on this machine; add it with `ip address add fd00:10:10::53/128 dev lo`",
  ],
  [
    "EADDRNOTAVAIL",
    V4,
    "udp",
    "darwin",
    "cannot bind udp 10.10.10.53:53: the address is not on this machine; add it with `sudo ifconfig lo0 alias 10.10.10.53 255.255.255.255`",
  ],
  [
    "EADDRNOTAVAIL",
    V6,
    "udp",
    "darwin",
    "cannot bind udp [fd00:10:10::53]:53: the address is not on this machine; add it with `sudo ifconfig lo0 inet6 alias fd00:10:10::53 prefixlen 128`",
  ],
  [
    "EACCES",
    V4,
    "udp",
    "linux",
    "cannot bind udp 10.10.10.53:53: ports below 1024 need root, CAP_NET_BIND_SERVICE or the sysctl net.ipv4.ip_unprivileged_port_start=53",
  ],
  ["EACCES", V4, "udp", "darwin", "cannot bind udp 10.10.10.53:53: ports below 1024 need root"],
  [
    "EAFNOSUPPORT",
    V6,
    "udp",
    "linux",
    "cannot bind udp [fd00:10:10::53]:53: this machine has no IPv6; take the address out of the configuration",
  ],
  [
    "EINVAL",
    V6,
    "udp",
    "linux",
    "cannot bind udp [fd00:10:10::53]:53: this is no address to bind; a link-local one needs its interface, as in fe80::1%eth0",
  ],
  ["ENOBUFS", V4, "udp", "linux", "cannot bind udp 10.10.10.53:53: the system says ENOBUFS"],
])("%s on %o %s (%s)", (code, local, protocol, platform, text) => {
  const cause = Object.assign(new Error("bind"), { code });
  expect(new BindError(local, protocol, cause, platform)).toMatchObject({
    message: text,
    code,
    local,
    cause,
    name: "BindError",
  });
});
