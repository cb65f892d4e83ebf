/* Which threads the kernel lets go first. */
#include "exports.h"

#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* sched_setattr(2) in its first version, for which C libraries have no name yet. */
struct scheduling {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period; /* ns; of an ordinary thread, runtime is its slice */
};

/*
 * threadSlice(microseconds): the calling thread gets the processor in slices of so much, and so much sooner. One that is not
 * ordinary (SCHED_OTHER) has none and stays as it is. Answers errno, 0 when it is so.
 */
napi_value thread_slice(napi_env env, napi_callback_info info) {
  struct arguments call = arguments_of(env, info);
  const int32_t microseconds = argument_int(&call, 0);
  struct scheduling now = {0};
  if (!call.ok || microseconds <= 0) return throw_misuse(env, "threadSlice(microseconds)");
  if (syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) != 0) return int_value(env, errno);
  if (now.policy != SCHED_OTHER) return int_value(env, 0);
  now.size = sizeof now;
  now.runtime = (uint64_t)microseconds * 1000;
  return int_value(env, syscall(SYS_sched_setattr, 0, &now, 0) == 0 ? 0 : errno);
}
