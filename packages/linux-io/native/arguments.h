/* Reading what JavaScript passed, and throwing what the system said. */
#ifndef STITCH_ARGUMENTS_H
#define STITCH_ARGUMENTS_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Products of two 32-bit numbers are compared with sizes of arrays. */
_Static_assert(sizeof(size_t) >= 8, "for 64-bit systems");

#define MOST_ARGUMENTS 8

/* The arguments of one call; `ok` turns false at the first one that is not what it should be. */
struct arguments {
  napi_env env;
  size_t count;
  napi_value values[MOST_ARGUMENTS];
  bool ok;
};

/* A typed array's memory. It stays where it is for as long as a reference to the array is held. */
struct view {
  void *data;
  size_t length; /* elements */
};

struct arguments arguments_of(napi_env env, napi_callback_info info);
/* The native object behind argument `i`, made by napi_create_external. */
void *argument_external(struct arguments *call, size_t i);
int32_t argument_int(struct arguments *call, size_t i);
struct view argument_array(struct arguments *call, size_t i, napi_typedarray_type type);

int32_t property_int(struct arguments *call, napi_value object, const char *name);
bool property_bool(struct arguments *call, napi_value object, const char *name);
napi_value property(struct arguments *call, napi_value object, const char *name);
struct view property_view(struct arguments *call, napi_value object, const char *name, napi_typedarray_type type);
/* The same, of an array that must lie in `buffer`. */
struct view property_view_in(struct arguments *call, napi_value object, const char *name, napi_typedarray_type type, napi_value buffer);

/* Throws a TypeError: the TypeScript face passed something wrong, which is a defect of ours. */
napi_value throw_misuse(napi_env env, const char *what);
/* Throws an Error with `code` (EADDRINUSE, ...), `errno` and `syscall`, as Node's own do. */
napi_value throw_errno(napi_env env, int number, const char *syscall);
/* An Error object of the same form, for a callback. */
napi_value errno_error(napi_env env, int number, const char *syscall);

napi_value int_value(napi_env env, int64_t value);
napi_value undefined_value(napi_env env);

#endif
