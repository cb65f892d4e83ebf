/** What an engine complains of where a machine does not let it run -> the sentence that a person reads. */
const SENTENCES: readonly (readonly [complaint: RegExp, sentence: string])[] = [
  [
    /unshare.*(not permitted|No space left)/i,
    "root may not make namespaces here: run on a machine, or in a privileged container",
  ],
  [
    /overlay.*(not supported|no such device|invalid argument)|driver not supported/i,
    "the kernel cannot lay one file system over another (overlayfs), or not over the one that holds .cache",
  ],
  [/cgroup/i, "the kernel's control groups are not mounted at /sys/fs/cgroup, or may not be written to"],
  [/iptables|nf_tables|netfilter/i, "the kernel has no packet filter that iptables could use (nf_tables, nat)"],
  [/bridge|veth|operation not supported/i, "the kernel has no bridges, or no pairs of interfaces (veth)"],
];

/** Why Docker Engine did not start: in a sentence where the reason is the machine's, and in its own words. */
export function refusal(complaints: string): string {
  const sentence = SENTENCES.find(([complaint]) => complaint.test(complaints))?.[1];
  const words = complaints.trim() || "it said nothing";
  return `Docker Engine did not start${sentence === undefined ? "" : `: ${sentence}`}\n${words}`;
}
