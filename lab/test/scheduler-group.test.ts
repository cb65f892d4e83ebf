import { expect, test } from "vitest";
import { membersFile } from "../src/containerlab/scheduler-group.ts";

const V1 = [
  "23 17 0:21 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755",
  "31 23 0:28 / /sys/fs/cgroup/cpuset rw,nosuid shared:9 - cgroup cgroup rw,cpuset",
  "32 23 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:10 - cgroup cgroup rw,cpu,cpuacct",
  "33 23 0:30 / /sys/fs/cgroup/unified rw,nosuid shared:11 - cgroup2 cgroup2 rw",
].join("\n");
const V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev shared:4 - cgroup2 cgroup2 rw,nsdelegate";

test.each([
  ["version 1", "12:cpuset:/other\n4:cpu,cpuacct:/docker/a1\n0::/unified", V1, "/cpu,cpuacct/docker/a1"],
  ["version 2", "0::/system.slice/docker-a1.scope\n", V2, "/system.slice/docker-a1.scope"],
  ["a mount that shows a part", "0::/pod/a1", V2.replace(" / /", " /pod /"), "/a1"],
  ["a process of no container", "4:cpu,cpuacct:/", V1, "/cpu,cpuacct"],
])("a container's group is found: %s", (_what, cgroup, mountinfo, group) => {
  expect(membersFile(cgroup, mountinfo)).toBe(`/sys/fs/cgroup${group}/cgroup.procs`);
});

test.each([
  ["the kernel has no control groups", "", ""],
  ["the hierarchy is not mounted here", "4:cpu,cpuacct:/docker/a1", V2],
  ["the group lies outside of the mounted part", "0::/other/a1", V2.replace(" / /", " /pod /")],
  ["the group lies outside of our namespace", "0::/../a1", V2],
])("a program stays where it is when %s", (_what, cgroup, mountinfo) => {
  expect(membersFile(cgroup, mountinfo)).toBeUndefined();
});
