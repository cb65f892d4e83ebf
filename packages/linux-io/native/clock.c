/* The kernel's clock discipline, read and never set. */
#include "exports.h"

#include <errno.h>
#include <sys/timex.h>

#include "arguments.h"

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
