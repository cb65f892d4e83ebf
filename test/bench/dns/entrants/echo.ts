import { compile, compilerVersion } from "../../compile.ts";
import { ADDRESS } from "../client.ts";
import type { Entrant } from "../entrant.ts";
import { ANSWER_BYTES } from "../names.ts";

/** What the sockets cost: as many datagrams a call, replies as long as the resolvers', and no thought at all. One thread. */
export async function echo(): Promise<Entrant> {
  const program = await compile("udp/echo.c", "udp-echo");
  return {
    name: "echo",
    version: await compilerVersion(),
    settings: `recvmmsg and sendmmsg of 64, replies ${ANSWER_BYTES} octets longer than queries`,
    command: [program, ADDRESS, "dns", String(ANSWER_BYTES)],
  };
}
