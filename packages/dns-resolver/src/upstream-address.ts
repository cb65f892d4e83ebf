import { hostPort, parsed, type HostPort } from "@stitch/config";
import { formatEndpoint } from "@stitch/linux-io";

/** An upstream; over TLS, what its certificate must bear, unless its key is pinned. */
export interface UpstreamAddress extends HostPort {
  readonly tls?: { readonly name: string | undefined };
}
/** RFC 7858 section 3.1. */
export const TLS_PORT = 853;
const SERVER_NAME = /^[a-z0-9_]([a-z0-9._-]{0,251}[a-z0-9])?$/i;

export function upstreamAddress() {
  const plain = hostPort(53);
  const secure = hostPort(TLS_PORT);
  const expected =
    "an address such as 10.0.0.1, 10.0.0.1:5353, [fd00::1]:5353 or tls://10.0.0.1#dns.example (no names to look up: DNS may be what is down)";
  return parsed(expected, (text): UpstreamAddress | undefined => {
    const [, address, name] = /^tls:\/\/([^#]+)(?:#(.*))?$/.exec(text) ?? [];
    if (address === undefined) return plain.safeParse(text).data;
    const place = secure.safeParse(address).data;
    return place === undefined || (name !== undefined && !SERVER_NAME.test(name))
      ? undefined
      : { ...place, tls: { name } };
  });
}

/** SHA-256 in base64. */
export function pin() {
  return parsed("a pin: the SHA-256 of a public key in base64, 44 characters", (text) =>
    /^[A-Za-z0-9+/]{43}=$/.test(text) ? text : undefined,
  );
}

/** What is wrong with an upstream over TLS that nothing tells from another. */
export function unproven(upstream: UpstreamAddress, pins: readonly string[]): string | undefined {
  if (upstream.tls === undefined || upstream.tls.name !== undefined || pins.length > 0) return undefined;
  const text = formatEndpoint(upstream);
  return `tls://${text} could be anybody: write tls://${text}#NAME with the name in its certificate, or pin its key in tls.pins`;
}
