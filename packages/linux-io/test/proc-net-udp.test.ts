import { expect, test } from "vitest";
import { dropsOf } from "../src/proc-net-udp.ts";

const V4 = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
 1044: 350A0A7F:14B4 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 10 2 0000000000000000 17
 1044: 350A0A7F:14B4 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 11 2 0000000000000000 5
 1045: 0100007F:14B5 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 12 2 0000000000000000 99
`;
const V6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
 1045: 00000000000000000000000001000000:14B5 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 13 2 0000000000000000 3
`;

test("drops of all sockets bound to the address are summed", () => {
  expect(dropsOf({ address: "127.10.10.53", port: 5300 }, () => V4)).toBe(22);
});

test("IPv6 is looked up in its own table", () => {
  expect(dropsOf({ address: "::1", port: 5301 }, (path) => (path === "/proc/net/udp6" ? V6 : ""))).toBe(3);
});

test("no such socket, or no such address, is not zero drops but unknown", () => {
  expect(dropsOf({ address: "127.0.0.1", port: 1 }, () => V4)).toBeUndefined();
  expect(dropsOf({ address: "localhost", port: 5300 }, () => V4)).toBeUndefined();
});
