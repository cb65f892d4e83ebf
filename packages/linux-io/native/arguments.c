#include "arguments.h"

#include <stdio.h>
#include <uv.h>

struct arguments arguments_of(napi_env env, napi_callback_info info) {
  struct arguments call = {.env = env, .count = MOST_ARGUMENTS, .ok = true};
  if (napi_get_cb_info(env, info, &call.count, call.values, NULL, NULL) != napi_ok) call.ok = false;
  return call;
}

void *argument_external(struct arguments *call, size_t i) {
  void *data = NULL;
  if (!call->ok || i >= call->count || napi_get_value_external(call->env, call->values[i], &data) != napi_ok) {
    call->ok = false;
    return NULL;
  }
  return data;
}

int32_t argument_int(struct arguments *call, size_t i) {
  int32_t value = 0;
  if (!call->ok || i >= call->count || napi_get_value_int32(call->env, call->values[i], &value) != napi_ok) call->ok = false;
  return value;
}

static bool is_same(struct arguments *call, napi_value one, napi_value other) {
  bool same = false;
  return napi_strict_equals(call->env, one, other, &same) == napi_ok && same;
}

/* Of an array of type `wanted`, in the buffer `within` where that is not NULL. */
static struct view view_of(struct arguments *call, napi_value value, napi_typedarray_type wanted, napi_value within) {
  struct view view = {NULL, 0};
  napi_typedarray_type type = napi_int8_array;
  napi_value buffer = NULL;
  if (!call->ok) return view;
  if (napi_get_typedarray_info(call->env, value, &type, &view.length, &view.data, &buffer, NULL) != napi_ok ||
      type != wanted || (within != NULL && !is_same(call, buffer, within)))
    call->ok = false;
  if (!call->ok || view.length == 0) view = (struct view){NULL, 0}; /* detached: a pointer near 0 */
  return view;
}

struct view argument_array(struct arguments *call, size_t i, napi_typedarray_type type) {
  if (i >= call->count) call->ok = false;
  return call->ok ? view_of(call, call->values[i], type, NULL) : (struct view){NULL, 0};
}

napi_value property(struct arguments *call, napi_value object, const char *name) {
  napi_value value = NULL;
  if (!call->ok || napi_get_named_property(call->env, object, name, &value) != napi_ok) call->ok = false;
  return value;
}

int32_t property_int(struct arguments *call, napi_value object, const char *name) {
  int32_t number = 0;
  napi_value value = property(call, object, name);
  if (!call->ok || napi_get_value_int32(call->env, value, &number) != napi_ok) call->ok = false;
  return number;
}

bool property_bool(struct arguments *call, napi_value object, const char *name) {
  bool answer = false;
  napi_value value = property(call, object, name);
  if (!call->ok || napi_get_value_bool(call->env, value, &answer) != napi_ok) call->ok = false;
  return answer;
}

struct view property_view(struct arguments *call, napi_value object, const char *name, napi_typedarray_type type) {
  return view_of(call, property(call, object, name), type, NULL);
}

struct view property_view_in(struct arguments *call, napi_value object, const char *name, napi_typedarray_type type, napi_value buffer) {
  return view_of(call, property(call, object, name), type, buffer);
}

napi_value throw_misuse(napi_env env, const char *what) {
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", what);
  return NULL;
}

static void set_text(napi_env env, napi_value object, const char *name, const char *text) {
  napi_value value;
  if (napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value) == napi_ok) napi_set_named_property(env, object, name, value);
}

napi_value errno_error(napi_env env, int number, const char *syscall) {
  char code[32], text[128];
  napi_value message = NULL, error = NULL;
  uv_err_name_r(-number, code, sizeof code);
  snprintf(text, sizeof text, "%s %s", syscall, code);
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message);
  if (napi_create_error(env, NULL, message, &error) != napi_ok) return NULL;
  set_text(env, error, "code", code);
  set_text(env, error, "syscall", syscall);
  napi_set_named_property(env, error, "errno", int_value(env, -number));
  return error;
}

napi_value throw_errno(napi_env env, int number, const char *syscall) {
  const napi_value error = errno_error(env, number, syscall);
  if (error != NULL) napi_throw(env, error);
  return NULL;
}

napi_value int_value(napi_env env, int64_t value) {
  napi_value result = NULL;
  napi_create_int64(env, value, &result);
  return result;
}

napi_value undefined_value(napi_env env) {
  napi_value result = NULL;
  napi_get_undefined(env, &result);
  return result;
}
