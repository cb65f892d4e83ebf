/* Which threads the kernel lets go first. */
#include "exports.h"

#include <errno.h>
#include <sched.h>

#include "arguments.h"

/*
 * threadRealtime(on): the calling thread goes before every thread that is not realtime (SCHED_RR at its lowest priority), or
 * with the others again; what it starts does not inherit it. Answers errno, 0 when it is so.
 */
napi_value thread_realtime(napi_env env, napi_callback_info info) {
  struct arguments call = arguments_of(env, info);
  const int32_t on = argument_int(&call, 0);
  const int policy = on != 0 ? SCHED_RR | SCHED_RESET_ON_FORK : SCHED_OTHER;
  const struct sched_param parameters = {.sched_priority = on != 0 ? sched_get_priority_min(SCHED_RR) : 0};
  if (!call.ok) return throw_misuse(env, "threadRealtime(1 or 0)");
  return int_value(env, sched_setscheduler(0, policy, &parameters) == 0 ? 0 : errno); /* 0: this thread, on Linux */
}
