import type { HostPort, Problem } from "@stitch/config";
import { formatEndpoint, isWildcard } from "@stitch/linux-io";
import type { DnsSettings, ProblemAt } from "../config.ts";

/** What is wrong with `dns.warmFrom`. */
export function checkSiblings({ health, warmFrom: { siblings, secret } }: DnsSettings, at: ProblemAt): Problem[] {
  const problems = siblings.flatMap((sibling, i) => {
    const message = wrongSibling(sibling, health);
    return message === undefined ? [] : [at(["warmFrom", "siblings", i], message)];
  });
  if (siblings.length === 0 || secret !== undefined) return problems;
  const message = "is missing: siblings answer only those who have the same; make one with `openssl rand -hex 32`";
  return [...problems, at(["warmFrom", "secret"], message)];
}

function wrongSibling(sibling: HostPort, health: HostPort): string | undefined {
  const text = formatEndpoint(sibling);
  if (text === formatEndpoint(health)) return `${text} is this resolver itself: name the \`health\` of another site's`;
  if (isWildcard(sibling.address)) return `${text} is every address: name the sibling's`;
  return sibling.port === 0 ? `${text} has port 0` : undefined;
}
