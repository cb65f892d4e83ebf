/*
 * Many UDP sockets on one poll set: a resolver's random source ports. One epoll descriptor is all that libuv sees; a
 * wake-up gathers what every ready socket has into one slab and calls JavaScript once for each full slab.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <uv.h>

#include "arguments.h"
#include "endpoint.h"
#include "exports.h"
#include "slabs.h"
#include "socket_options.h"

/* Ready sockets per wake-up; the rest is still ready at the next. */
#define MOST_READY 128

struct member {
  int fd; /* -1: free */
  uint16_t port; /* network order */
};

struct socket_set {
  napi_env env;
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
  napi_ref self;
  napi_ref options;
  napi_ref handler;
  napi_ref closed;
  uv_poll_t poll;
  bool open, closing, delivering, ending, finalized;
  int epoll;
  struct member *members;
  uint32_t most;
  struct arrivals arrivals;
  struct receiver receiver;
  int32_t *sockets;
};

static void set_free(struct socket_set *set) {
  receiver_free(&set->receiver);
  free(set->members);
  free(set);
}

static void finalize(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  struct socket_set *set = data;
  set->finalized = true;
  if (!set->open) set_free(set);
}

static void call(struct socket_set *set, napi_ref reference, const uint32_t *count) {
  napi_handle_scope scope;
  napi_value function, receiver, argument, thrown;
  bool pending = false;
  if (reference == NULL || napi_open_handle_scope(set->env, &scope) != napi_ok) return;
  if (napi_get_reference_value(set->env, reference, &function) == napi_ok && napi_get_global(set->env, &receiver) == napi_ok &&
      napi_create_uint32(set->env, count == NULL ? 0 : *count, &argument) == napi_ok)
    napi_make_callback(set->env, set->context, receiver, function, 1, &argument, NULL);
  if (napi_is_exception_pending(set->env, &pending) == napi_ok && pending && !set->ending &&
      napi_get_and_clear_last_exception(set->env, &thrown) == napi_ok)
    napi_fatal_exception(set->env, thrown);
  napi_close_handle_scope(set->env, scope);
}

static void on_closed(uv_handle_t *handle) {
  struct socket_set *set = handle->data;
  set->open = false;
  if (!set->ending) {
    call(set, set->closed, NULL);
    napi_delete_reference(set->env, set->handler);
    napi_delete_reference(set->env, set->options);
    if (set->closed != NULL) napi_delete_reference(set->env, set->closed);
    napi_async_destroy(set->env, set->context);
    napi_delete_reference(set->env, set->self);
  }
  napi_remove_async_cleanup_hook(set->cleanup);
  if (set->finalized) set_free(set);
}

static void shut(struct socket_set *set) {
  set->closing = true;
  uv_poll_stop(&set->poll);
  uv_close((uv_handle_t *)&set->poll, on_closed);
  for (uint32_t i = 0; i < set->most; i += 1) {
    if (set->members[i].fd >= 0) close(set->members[i].fd);
    set->members[i].fd = -1;
  }
  close(set->epoll);
  set->epoll = -1;
}

static void on_environment_end(napi_async_cleanup_hook_handle handle, void *data) {
  (void)handle;
  struct socket_set *set = data;
  set->ending = true;
  if (set->epoll >= 0) shut(set);
}

static void deliver(struct socket_set *set, uint32_t *count) {
  const uint32_t filled = *count;
  *count = 0;
  if (filled == 0 || set->epoll < 0) return;
  set->delivering = true;
  call(set, set->handler, &filled);
  set->delivering = false;
  receiver_prepare(&set->receiver, 0, filled);
}

/* An error that an earlier datagram met (ICMP) is an arrival too: whoever waits for an answer need not wait longer. */
static void note_error(struct socket_set *set, uint32_t index, int number, uint32_t slot) {
  set->sockets[slot] = (int32_t)index;
  set->arrivals.lengths[slot] = number;
  set->arrivals.flags[slot] = ARRIVAL_ERROR;
  memset(set->arrivals.peers + (size_t)slot * ENDPOINT_BYTES, 0, ENDPOINT_BYTES);
}

static void gather(struct socket_set *set, uint32_t index, uint32_t *count) {
  const struct wanted wanted = {.time = false, .local = false};
  struct member *member = &set->members[index];
  for (;;) {
    if (*count == set->arrivals.capacity) deliver(set, count);
    if (set->closing || member->fd < 0) return; /* closed by the handler */
    const uint32_t room = set->arrivals.capacity - *count;
    const int received = recvmmsg(member->fd, set->receiver.messages + *count, room, MSG_DONTWAIT, NULL);
    if (received < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return;
      note_error(set, index, errno, *count);
      *count += 1;
      return; /* level-triggered: what else it has comes with the next wake-up */
    }
    for (uint32_t i = *count; i < *count + (uint32_t)received; i += 1) {
      arrival_translate(&set->receiver, &set->arrivals, i, wanted, member->port);
      set->sockets[i] = (int32_t)index;
    }
    *count += (uint32_t)received;
    if ((uint32_t)received < room) return;
  }
}

static void on_poll(uv_poll_t *poll, int status, int events) {
  struct socket_set *set = poll->data;
  struct epoll_event ready[MOST_READY];
  uint32_t count = 0;
  (void)status;
  (void)events;
  const int n = epoll_wait(set->epoll, ready, MOST_READY, 0);
  for (int i = 0; i < n && !set->closing; i += 1) gather(set, ready[i].data.u32, &count);
  if (!set->closing) deliver(set, &count);
  if (set->closing && set->epoll >= 0) shut(set);
}

/* setCreate(options, handler): an empty set for at most options.most sockets. */
napi_value set_create(napi_env env, napi_callback_info info) {
  struct arguments given = arguments_of(env, info);
  struct socket_set *set = calloc(1, sizeof *set);
  napi_value external, name;
  uv_loop_t *loop;
  if (set == NULL) return throw_errno(env, ENOMEM, "epoll_create1");
  const int32_t most = given.count < 2 ? 0 : property_int(&given, given.values[0], "most");
  const struct view sockets = given.count < 2 ? (struct view){NULL, 0} : property_view(&given, given.values[0], "sockets", napi_int32_array);
  if (given.count < 2 || !arrivals_from(&given, property(&given, given.values[0], "arrivals"), &set->arrivals) || most <= 0 ||
      sockets.length < set->arrivals.capacity) {
    free(set);
    return throw_misuse(env, "setCreate(options, handler)");
  }
  set->env = env;
  set->most = (uint32_t)most;
  set->sockets = sockets.data;
  set->members = calloc(set->most, sizeof *set->members);
  set->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (set->members == NULL || set->epoll < 0 || !receiver_allocate(&set->receiver, &set->arrivals)) {
    const int number = errno;
    if (set->epoll >= 0) close(set->epoll);
    set_free(set);
    return throw_errno(env, number, "epoll_create1");
  }
  for (uint32_t i = 0; i < set->most; i += 1) set->members[i].fd = -1;
  napi_create_string_utf8(env, "stitch.sockets", NAPI_AUTO_LENGTH, &name);
  if (napi_get_uv_event_loop(env, &loop) != napi_ok || napi_async_init(env, NULL, name, &set->context) != napi_ok ||
      napi_create_external(env, set, finalize, NULL, &external) != napi_ok) {
    close(set->epoll);
    set_free(set);
    return throw_misuse(env, "this environment has no event loop");
  }
  napi_create_reference(env, external, 1, &set->self);
  napi_create_reference(env, given.values[0], 1, &set->options);
  napi_create_reference(env, given.values[1], 1, &set->handler);
  uv_poll_init(loop, &set->poll, set->epoll);
  set->poll.data = set;
  set->open = true;
  uv_poll_start(&set->poll, UV_READABLE, on_poll);
  napi_add_async_cleanup_hook(env, on_environment_end, set, &set->cleanup);
  return external;
}

/*
 * setOpen(set, place, local, peer): a socket at `place` (its number in the set, free), bound to the record `local` and
 * connected to the record `peer`. Returns 0, or a negative errno: running out of descriptors or ports is the
 * caller's daily life and no exception.
 */
napi_value set_open(napi_env env, napi_callback_info info) {
  struct arguments given = arguments_of(env, info);
  struct socket_set *set = argument_external(&given, 0);
  const int32_t place = argument_int(&given, 1);
  const struct view local = argument_bytes(&given, 2);
  const struct view peer = argument_bytes(&given, 3);
  struct datagram_options options = {.traffic_class = -1};
  const char *failing;
  if (!given.ok || place < 0 || (uint32_t)place >= set->most || local.length < ENDPOINT_BYTES || peer.length < ENDPOINT_BYTES)
    return throw_misuse(env, "setOpen(set, place, local, peer)");
  if (!address_from_record(local.data, AF_UNSPEC, &options.local, &options.local_length) ||
      !address_from_record(peer.data, options.local.any.sa_family, &options.peer, &options.peer_length))
    return int_value(env, -EAFNOSUPPORT);
  if (set->closing || set->members[place].fd >= 0) return int_value(env, -EBUSY);
  const int fd = datagram_socket(&options, &failing);
  if (fd < 0) return int_value(env, -errno);
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)place};
  if (epoll_ctl(set->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    const int number = errno;
    close(fd);
    return int_value(env, -number);
  }
  union address own;
  socklen_t length = sizeof own;
  getsockname(fd, &own.any, &length);
  record_from_address(&own, local.data);
  const uint16_t port = own.any.sa_family == AF_INET ? own.v4.sin_port : own.v6.sin6_port;
  set->members[place] = (struct member){.fd = fd, .port = port};
  return int_value(env, 0);
}

/* setSend(set, place, bytes): to the socket's peer. 0, or a negative errno. */
napi_value set_send(napi_env env, napi_callback_info info) {
  struct arguments given = arguments_of(env, info);
  const struct socket_set *set = argument_external(&given, 0);
  const int32_t place = argument_int(&given, 1);
  const struct view bytes = argument_bytes(&given, 2);
  if (!given.ok || place < 0 || (uint32_t)place >= set->most) return throw_misuse(env, "setSend(set, place, bytes)");
  const int fd = set->members[place].fd;
  for (int attempt = 0; fd >= 0 && attempt < 2; attempt += 1) {
    if (send(fd, bytes.data, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return int_value(env, 0);
    if (errno != ECONNREFUSED && errno != EINTR) break; /* ECONNREFUSED: the fate of an earlier datagram, told once */
  }
  return int_value(env, fd < 0 ? -EBADF : -errno);
}

/* setCloseSocket(set, place): its number may be given to another at once. */
napi_value set_close_socket(napi_env env, napi_callback_info info) {
  struct arguments given = arguments_of(env, info);
  struct socket_set *set = argument_external(&given, 0);
  const int32_t place = argument_int(&given, 1);
  if (!given.ok || place < 0 || (uint32_t)place >= set->most) return throw_misuse(env, "setCloseSocket(set, place)");
  if (set->members[place].fd >= 0) close(set->members[place].fd); /* which also takes it out of the poll set */
  set->members[place].fd = -1;
  return NULL;
}

/* setClose(set, closed): closes every socket; `closed` is called when the set is gone. */
napi_value set_close(napi_env env, napi_callback_info info) {
  struct arguments given = arguments_of(env, info);
  struct socket_set *set = argument_external(&given, 0);
  if (!given.ok || given.count < 2) return throw_misuse(env, "setClose(set, closed)");
  if (set->closing) return NULL;
  set->closing = true;
  napi_create_reference(env, given.values[1], 1, &set->closed);
  if (!set->delivering) shut(set);
  return NULL;
}
