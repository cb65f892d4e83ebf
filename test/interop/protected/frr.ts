import { writeFile } from "node:fs/promises";
import { inPrivateEtc, type Peer } from "@stitch/peers";
import { execa } from "execa";
import { eventually, ROUTER, SPEAKER, transcript, type Wire } from "../bgp/wire.ts";

/** A router that peers with a host as a careful operator has it: MD5, GTSM, BFD. */
export interface ProtectedRouter {
  hasRoute(prefix: string): Promise<boolean>;
  account(): Promise<string>;
}

/**
 * `watch` is BFD or GTSM: with `ttl-security` FRR 8.4 takes the neighbour for one several hops away and asks for
 * multihop BFD, which is another protocol (RFC 5883).
 */
export async function startProtectedFrr(
  found: Peer,
  wire: Wire,
  password: string,
  watch: "bfd" | "gtsm",
): Promise<ProtectedRouter> {
  const { directory } = wire;
  const peer = `neighbor ${SPEAKER.address}`;
  await writeFile(
    wire.file("bgpd.conf"),
    `hostname router
log stdout informational
router bgp ${ROUTER.asn}
 bgp log-neighbor-changes
 bgp router-id ${ROUTER.routerId}
 no bgp ebgp-requires-policy
 ${peer} remote-as ${SPEAKER.asn}
 ${peer} password ${password}
 ${peer} ${watch === "bfd" ? "bfd 3 50 50" : "ttl-security hops 1"}
 ${peer} passive
`,
  );
  await writeFile(wire.file("bfdd.conf"), "hostname router\n");
  await writeFile(wire.file("zebra.conf"), "hostname router\n");
  await writeFile(wire.file("vtysh.conf"), "");
  const sockets = ["--vty_socket", directory, "-z", wire.file("zserv.api"), "-P", "0", "--log", "stdout"];
  const start = (daemon: string, ...more: string[]): (() => string) => {
    const own = ["-f", wire.file(`${daemon}.conf`), "-i", wire.file(`${daemon}.pid`), ...more];
    const argv = inPrivateEtc([found.program(daemon), ...own, ...sockets], { peers: [found] });
    return transcript(wire.start(wire.router, argv, found.env));
  };
  const outputs = [start("zebra"), start("bfdd", "--bfdctl", wire.file("bfdd.sock")), start("bgpd")];
  const vtysh = async (command: string): Promise<string> => {
    const argv = [found.program("vtysh"), "--vty_socket", directory, "--config_dir", directory, "-c", command];
    const [file = "", ...args] = wire.router.enter(inPrivateEtc(argv, { peers: [found] }));
    return (await execa(file, args, { env: found.env })).stdout;
  };
  await eventually("bgpd answers", 20_000, () =>
    vtysh("show bgp summary").then(
      (text) => text || "up",
      () => undefined,
    ),
  );
  return {
    hasRoute: async (prefix) => (await vtysh(`show bgp ipv4 unicast ${prefix} json`)).includes(SPEAKER.address),
    account: async () =>
      [...outputs.map((read) => read()), await vtysh("show bgp neighbors"), await vtysh("show bfd peers")].join("\n"),
  };
}
