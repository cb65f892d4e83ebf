#include "lifetime.h"

static void finalize(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  struct lifetime *life = data;
  life->finalized = true;
  if (life->handles > 0) return; /* the last one that closes frees */
  if (life->kept != NULL) napi_delete_reference(life->env, life->kept);
  life->release(life);
}

static void forget(struct lifetime *life, napi_ref *reference) {
  if (*reference != NULL) napi_delete_reference(life->env, *reference);
  *reference = NULL;
}

static void on_environment_end(napi_async_cleanup_hook_handle handle, void *data) {
  (void)handle;
  struct lifetime *life = data;
  life->ending = true;
  life->shut(life);
}

/* Also in an environment that ends: nothing here runs JavaScript, and a worker must not leave references behind. */
static void drop(struct lifetime *life) {
  if (life->context != NULL) napi_async_destroy(life->env, life->context);
  life->context = NULL;
  forget(life, &life->function);
  forget(life, &life->closed);
  for (int i = 0; i < MOST_BUFFERS; i += 1) forget(life, &life->buffers[i]);
  if (life->hooked) napi_remove_async_cleanup_hook(life->cleanup);
  life->hooked = false;
  if (life->finalized) finalize(life->env, life, NULL);
}

napi_value lifetime_begin(napi_env env, void *owner, enum kind kind, void (*shut)(void *), void (*release)(void *)) {
  struct lifetime *life = owner;
  napi_value external = NULL;
  *life = (struct lifetime){.kind = kind, .env = env, .shut = shut, .release = release};
  if (napi_create_external(env, life, finalize, NULL, &external) == napi_ok) return external;
  release(life);
  return NULL;
}

bool lifetime_hold(void *owner, const char *name, napi_value kept, napi_value function) {
  struct lifetime *life = owner;
  napi_valuetype type = napi_undefined;
  napi_value text = NULL;
  if (napi_typeof(life->env, function, &type) != napi_ok || type != napi_function) return false;
  if (napi_create_string_utf8(life->env, name, NAPI_AUTO_LENGTH, &text) != napi_ok ||
      napi_create_reference(life->env, function, 1, &life->function) != napi_ok ||
      napi_create_reference(life->env, kept, 1, &life->kept) != napi_ok ||
      napi_async_init(life->env, NULL, text, &life->context) != napi_ok ||
      napi_add_async_cleanup_hook(life->env, on_environment_end, life, &life->cleanup) != napi_ok)
    return false;
  return life->hooked = true;
}

bool lifetime_watch_buffer(void *owner, int place, napi_value buffer) {
  struct lifetime *life = owner;
  bool is = false;
  return napi_is_arraybuffer(life->env, buffer, &is) == napi_ok && is &&
         napi_create_reference(life->env, buffer, 1, &life->buffers[place]) == napi_ok;
}

static bool is_detached(const struct lifetime *life, napi_ref reference) {
  napi_value buffer = NULL;
  bool detached = false;
  return napi_get_reference_value(life->env, reference, &buffer) == napi_ok && buffer != NULL &&
         napi_is_detached_arraybuffer(life->env, buffer, &detached) == napi_ok && detached;
}

static void tell_robbed(struct lifetime *life) {
  napi_value text = NULL, error = NULL;
  life->robbed = true;
  if (napi_create_string_utf8(life->env, "linux-io: a slab of an open socket was transferred", NAPI_AUTO_LENGTH, &text) == napi_ok &&
      napi_create_error(life->env, NULL, text, &error) == napi_ok)
    napi_fatal_exception(life->env, error);
}

bool lifetime_buffers_intact(void *owner) {
  struct lifetime *life = owner;
  napi_handle_scope scope;
  bool detached = life->robbed;
  if (detached || napi_open_handle_scope(life->env, &scope) != napi_ok) return false;
  for (int i = 0; i < MOST_BUFFERS && !detached; i += 1)
    detached = life->buffers[i] != NULL && is_detached(life, life->buffers[i]);
  if (detached) tell_robbed(life);
  napi_close_handle_scope(life->env, scope);
  return !detached;
}

void lifetime_abandon(void *owner) {
  drop(owner);
}

static void call(struct lifetime *life, napi_ref reference, size_t count, napi_value *arguments) {
  napi_value function = NULL, receiver = NULL, thrown = NULL;
  bool pending = false;
  if (napi_get_reference_value(life->env, reference, &function) == napi_ok && function != NULL &&
      napi_get_global(life->env, &receiver) == napi_ok)
    napi_make_callback(life->env, life->context, receiver, function, count, arguments, NULL);
  if (napi_is_exception_pending(life->env, &pending) == napi_ok && pending &&
      napi_get_and_clear_last_exception(life->env, &thrown) == napi_ok && !life->ending)
    napi_fatal_exception(life->env, thrown);
}

void lifetime_call(void *owner, uint32_t number) {
  struct lifetime *life = owner;
  napi_value argument = NULL;
  napi_handle_scope scope;
  if (life->ending || napi_open_handle_scope(life->env, &scope) != napi_ok) return;
  if (napi_create_uint32(life->env, number, &argument) == napi_ok) call(life, life->function, 1, &argument);
  napi_close_handle_scope(life->env, scope);
}

void lifetime_call_errno(void *owner, int number, const char *syscall) {
  struct lifetime *life = owner;
  napi_value argument = NULL;
  napi_handle_scope scope;
  if (life->ending || napi_open_handle_scope(life->env, &scope) != napi_ok) return;
  if (number != 0) argument = errno_error(life->env, number, syscall);
  else napi_get_null(life->env, &argument);
  if (argument != NULL) call(life, life->function, 1, &argument);
  napi_close_handle_scope(life->env, scope);
}

/* ---- libuv ---- */

void lifetime_add(void *owner, uv_handle_t *handle) {
  struct lifetime *life = owner;
  handle->data = owner;
  life->handles += 1;
}

static void on_closed(uv_handle_t *handle) {
  struct lifetime *life = handle->data;
  napi_handle_scope scope;
  life->handles -= 1;
  if (life->handles > 0) return;
  if (!life->ending && life->closed != NULL && napi_open_handle_scope(life->env, &scope) == napi_ok) {
    call(life, life->closed, 0, NULL);
    napi_close_handle_scope(life->env, scope);
  }
  drop(life);
}

void lifetime_close(void *owner, uv_handle_t *handle) {
  (void)owner;
  if (!uv_is_closing(handle)) uv_close(handle, on_closed);
}

void lifetime_closed(void *owner, napi_value function) {
  struct lifetime *life = owner;
  forget(life, &life->closed);
  napi_create_reference(life->env, function, 1, &life->closed);
}

void *argument_owner(struct arguments *call, size_t i, enum kind kind) {
  struct lifetime *life = argument_external(call, i);
  if (life == NULL || life->kind != kind) call->ok = false;
  return call->ok ? life : NULL;
}
