/*
 * The life of whatever `udpOpen`, `setCreate` and `tcpConnect` give to JavaScript: an external, libuv handles, and
 * references to JavaScript values.
 *
 * Normal: the owner closes its handles; when the last is gone, `closed` is called, the references are dropped, and the
 * memory goes with the external, whenever the collector takes it.
 * Hard: the thread's environment ends first (worker.terminate(), the end of the process), perhaps while the handler
 * runs. Node asks by the cleanup hook and waits; nobody can be called any more; the handles close, the references are
 * dropped, and the external's finalizer frees the memory. The two may come in either order.
 */
#ifndef STITCH_LIFETIME_H
#define STITCH_LIFETIME_H

#include <node_api.h>
#include <stdbool.h>
#include <uv.h>

#include "arguments.h"

enum kind { BATCH_SOCKET = 0x5354, SOCKET_SET, TCP_ATTEMPT };

/* ArrayBuffers that JavaScript gives to others, who might transfer them away: the slabs of either side. */
#define MOST_BUFFERS 2

/* First member of its owner. */
struct lifetime {
  enum kind kind;
  napi_env env;
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
  napi_ref function; /* the handler */
  napi_ref closed;   /* who waits for the end */
  napi_ref kept;     /* the options, and with them every array; until the memory goes */
  napi_ref buffers[MOST_BUFFERS];
  int handles; /* of libuv, not closed yet; as long as there are any, the memory stays */
  bool hooked, ending, finalized, robbed;
  void (*shut)(void *owner);    /* closes handles and descriptors; may be called again */
  void (*release)(void *owner); /* frees memory */
};

/*
 * Takes `owner` over: from here on its memory goes with the external, which is returned. NULL, and `owner` released,
 * when there is none.
 */
napi_value lifetime_begin(napi_env env, void *owner, enum kind kind, void (*shut)(void *), void (*release)(void *));
/* Holds the values; false when one of them is not what it must be or there is no memory: then `lifetime_abandon`. */
bool lifetime_hold(void *owner, const char *name, napi_value kept, napi_value function);
/* Watches over an ArrayBuffer; `place` is below MOST_BUFFERS. */
bool lifetime_watch_buffer(void *owner, int place, napi_value buffer);
/*
 * False once one of the watched buffers has been transferred: its memory is somebody else's, and the owner must not
 * touch it again. The first time this ends the process as an uncaught exception does: a defect of whoever transferred.
 */
bool lifetime_buffers_intact(void *owner);
/* For an opening that failed before it had a handle. */
void lifetime_abandon(void *owner);

/* A handle that libuv has just initialised. */
void lifetime_add(void *owner, uv_handle_t *handle);
void lifetime_close(void *owner, uv_handle_t *handle);
/* Whom to call when the last handle is gone. */
void lifetime_closed(void *owner, napi_value function);

/*
 * Calls the held function with a number. An exception that it leaves is a defect of ours (the TypeScript face catches
 * what a role throws) and ends the process as an uncaught one.
 */
void lifetime_call(void *owner, uint32_t number);
/* The same with an error of the system, or null where `number` is 0. */
void lifetime_call_errno(void *owner, int number, const char *syscall);

/* The owner behind argument `i`; NULL, with `call->ok` off, when it is of another kind. */
void *argument_owner(struct arguments *call, size_t i, enum kind kind);

#endif
