/* How the kernel keeps memory that JavaScript has made. */
#include "exports.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arguments.h"

/*
 * hugePages(bytes): what has not been touched of this memory comes in huge pages from now on, where whole ones fit. Advice
 * alone: contents and addresses stay. Answers errno, 0 when it was taken (EINVAL: the kernel has none).
 */
napi_value huge_pages(napi_env env, napi_callback_info info) {
  struct arguments call = arguments_of(env, info);
  const struct view bytes = argument_array(&call, 0, napi_uint8_array);
  if (!call.ok) return throw_misuse(env, "hugePages(bytes)");
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  const uintptr_t from = ((uintptr_t)bytes.data + page - 1) / page * page;
  const uintptr_t to = ((uintptr_t)bytes.data + bytes.length) / page * page;
  if (to <= from) return int_value(env, 0);
  return int_value(env, madvise((void *)from, to - from, MADV_HUGEPAGE) == 0 ? 0 : errno);
}
