/* The kernel's clocks, read and never set. */
#include "exports.h"

#include <errno.h>
#include <sys/timex.h>
#include <time.h>

#include "arguments.h"

/* clockTime(id, into): seconds and nanoseconds of CLOCK_REALTIME (0) or CLOCK_MONOTONIC (1) into a Float64Array of two. */
napi_value clock_time(napi_env env, napi_callback_info info) {
  struct arguments call = arguments_of(env, info);
  const int32_t id = argument_int(&call, 0);
  const struct view into = argument_array(&call, 1, napi_float64_array);
  struct timespec now;
  if (!call.ok || into.length < 2) return throw_misuse(env, "clockTime(id, Float64Array of 2)");
  if (clock_gettime(id == 0 ? CLOCK_REALTIME : CLOCK_MONOTONIC, &now) != 0) return throw_errno(env, errno, "clock_gettime");
  ((double *)into.data)[0] = (double)now.tv_sec;
  ((double *)into.data)[1] = (double)now.tv_nsec;
  return undefined_value(env);
}

static void put(napi_env env, napi_value object, const char *name, int64_t value) {
  napi_set_named_property(env, object, name, int_value(env, value));
}

/* adjtimex() with modes 0: reads the kernel's clock discipline; needs no capability and changes nothing. */
napi_value kernel_clock(napi_env env, napi_callback_info info) {
  (void)info;
  struct timex state = {.modes = 0};
  napi_value result = NULL;
  const int answer = adjtimex(&state);
  if (answer < 0) return throw_errno(env, errno, "adjtimex");
  napi_create_object(env, &result);
  put(env, result, "state", answer);
  put(env, result, "status", state.status);
  put(env, result, "offset", state.offset);
  put(env, result, "frequency", state.freq);
  put(env, result, "maximumError", state.maxerror);
  put(env, result, "estimatedError", state.esterror);
  put(env, result, "precision", state.precision);
  put(env, result, "tai", state.tai);
  return result;
}
