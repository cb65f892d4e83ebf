import type { Lab } from "../lab.ts";

/** Beside the announcer's control socket. */
const JOURNAL = "/run/stitch/journal.jsonl";

interface JournalEntry {
  readonly at: string;
  readonly kind: string;
  readonly to?: string;
  readonly vip?: string;
  readonly reason?: string;
  readonly detail?: string;
}

/** What the announcers' journals have of addresses that went down since (ISO time): for who wants to know which, and why. */
export async function falls(lab: Lab, since: string): Promise<readonly string[]> {
  const journals = lab.hosts.map(async (host) => {
    const { stdout } = await lab.exec(host, ["cat", JOURNAL], { mayFail: true });
    const entries = stdout.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as JournalEntry]));
    const fallen = entries.filter(({ at, kind, to }) => at >= since && kind === "decision" && to === "DOWN");
    return fallen.map(({ at, vip, reason, detail }) => `${host} at ${at}: ${vip} is down: ${reason}: ${detail}`);
  });
  return (await Promise.all(journals)).flat();
}
