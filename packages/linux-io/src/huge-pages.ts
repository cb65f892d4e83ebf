import { getSystemErrorName } from "node:util";
import { loadNative } from "./native.ts";

/**
 * Asks the kernel to keep these bytes in huge pages as far as they have not been touched yet: for large tables that are read
 * here and there, where each read would otherwise have to find its page first. Answers why not, such as EINVAL (a kernel
 * without them), or ENOSYS without the addon; undefined when the advice was taken. Nothing depends on it but time.
 */
export function preferHugePages(bytes: Uint8Array): string | undefined {
  const { native } = loadNative();
  if (native === undefined) return "ENOSYS";
  const number = native.hugePages(bytes);
  return number === 0 ? undefined : getSystemErrorName(-number);
}
