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
#include "lifetime.h"
#include "slabs.h"
#include "socket_options.h"

/* Ready sockets per wake-up; the rest is still ready at the next. */
#define MOST_READY 128
/* Calls of JavaScript per wake-up: a peer that floods one socket does not keep timers and other sockets waiting. */
#define MOST_ROUNDS 8
/* Of places: one for every port that there is, and as many that rest until a batch is over. */
#define MOST_PLACES 131072

struct member {
  int fd; /* -1: free */
  uint16_t port; /* network order */
};

struct socket_set {
  struct lifetime life;
  uv_poll_t poll;
  bool closing, delivering;
  int epoll; /* -1: closed */
  struct member *members;
  uint32_t most;
  struct arrivals arrivals;
  struct receiver receiver;
  int32_t *sockets;
  uint32_t filled; /* slots that wait for the next call */
  int rounds;      /* calls that this wake-up may still make */
};

static void release(void *owner) {
  struct socket_set *set = owner;
  receiver_free(&set->receiver);
  free(set->members);
  free(set);
}

static void shut(void *owner) {
  struct socket_set *set = owner;
  if (set->epoll < 0) return;
  set->closing = true;
  uv_poll_stop(&set->poll);
  lifetime_close(set, (uv_handle_t *)&set->poll);
  for (uint32_t i = 0; i < set->most; i += 1) {
    if (set->members[i].fd >= 0) close(set->members[i].fd);
    set->members[i].fd = -1;
  }
  close(set->epoll);
  set->epoll = -1;
}

/* False when the wake-up is over: closed, ended, or its turn is up. */
static bool deliver(struct socket_set *set) {
  const uint32_t filled = set->filled;
  set->filled = 0;
  if (filled > 0) {
    set->rounds -= 1;
    set->delivering = true;
    lifetime_call(set, filled);
    set->delivering = false;
    receiver_prepare(&set->receiver, 0, filled);
  }
  return !set->closing && set->rounds > 0 && lifetime_buffers_intact(set);
}

/* An error that an earlier datagram met (ICMP) is an arrival too: whoever waits for an answer need not wait longer. */
static void note_error(struct socket_set *set, uint32_t index, int number) {
  const uint32_t slot = set->filled++;
  set->sockets[slot] = (int32_t)index;
  set->arrivals.lengths[slot] = number;
  set->arrivals.flags[slot] = ARRIVAL_ERROR;
  memset(set->arrivals.peers + (size_t)slot * ENDPOINT_BYTES, 0, ENDPOINT_BYTES);
}

static void note_datagrams(struct socket_set *set, uint32_t index, uint32_t count) {
  const struct wanted wanted = {.time = false, .local = false};
  for (uint32_t i = 0; i < count; i += 1, set->filled += 1) {
    arrival_translate(&set->receiver, &set->arrivals, set->filled, wanted, set->members[index].port);
    set->sockets[set->filled] = (int32_t)index;
  }
}

/* Level-triggered: what is left in a socket, or in a socket of the list that was not reached, comes with the next wake-up. */
static bool gather(struct socket_set *set, uint32_t index) {
  for (;;) {
    if (set->filled == set->arrivals.capacity && !deliver(set)) return false;
    if (set->members[index].fd < 0) return true; /* closed by the handler */
    const uint32_t room = set->arrivals.capacity - set->filled;
    const int received = recvmmsg(set->members[index].fd, set->receiver.messages + set->filled, room, MSG_DONTWAIT, NULL);
    if (received < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) note_error(set, index, errno);
      return true;
    }
    note_datagrams(set, index, (uint32_t)received);
    if ((uint32_t)received < room) return true;
  }
}

static void on_poll(uv_poll_t *poll, int status, int events) {
  struct socket_set *set = poll->data;
  struct epoll_event ready[MOST_READY];
  (void)status;
  (void)events;
  set->rounds = MOST_ROUNDS;
  if (!lifetime_buffers_intact(set)) {
    if (!set->closing) uv_poll_stop(poll);
    return;
  }
  const int n = epoll_wait(set->epoll, ready, MOST_READY, 0);
  bool more = true;
  for (int i = 0; i < n && more; i += 1) more = gather(set, ready[i].data.u32);
  if (more) deliver(set);
  if (set->closing) shut(set);
}

static bool read_options(struct arguments *call, napi_value object, struct socket_set *set) {
  napi_value buffer = NULL;
  const int32_t most = property_int(call, object, "most");
  if (!arrivals_from(call, property(call, object, "arrivals"), &set->arrivals, &buffer)) return false;
  const struct view sockets = property_view_in(call, object, "sockets", napi_int32_array, buffer);
  if (!call->ok || most <= 0 || most > MOST_PLACES || sockets.length < set->arrivals.capacity) return false;
  set->most = (uint32_t)most;
  set->sockets = sockets.data;
  return lifetime_watch_buffer(set, 0, buffer);
}

/* 0, or an errno. */
static int start(struct socket_set *set, uv_loop_t *loop) {
  set->members = calloc(set->most, sizeof *set->members);
  if (set->members == NULL || !receiver_allocate(&set->receiver, &set->arrivals)) return ENOMEM;
  for (uint32_t i = 0; i < set->most; i += 1) set->members[i].fd = -1;
  set->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (set->epoll < 0) return errno;
  const int status = uv_poll_init(loop, &set->poll, set->epoll);
  if (status == 0) {
    lifetime_add(set, (uv_handle_t *)&set->poll);
    uv_poll_start(&set->poll, UV_READABLE, on_poll);
    return 0;
  }
  close(set->epoll);
  set->epoll = -1;
  return -status;
}

/* setCreate(options, handler): an empty set for at most options.most sockets. */
napi_value set_create(napi_env env, napi_callback_info info) {
  struct arguments given = arguments_of(env, info);
  struct socket_set *set = calloc(1, sizeof *set);
  uv_loop_t *loop = NULL;
  if (set == NULL) return throw_errno(env, ENOMEM, "epoll_create1");
  set->epoll = -1;
  const napi_value external = lifetime_begin(env, set, SOCKET_SET, shut, release);
  if (external == NULL) return throw_errno(env, ENOMEM, "epoll_create1");
  if (given.count < 2 || !read_options(&given, given.values[0], set) || napi_get_uv_event_loop(env, &loop) != napi_ok ||
      !lifetime_hold(set, "stitch.sockets", given.values[0], given.values[1])) {
    lifetime_abandon(set);
    return throw_misuse(env, "setCreate(options, handler)");
  }
  const int number = start(set, loop);
  if (number == 0) return external;
  lifetime_abandon(set);
  return throw_errno(env, number, "epoll_create1");
}

/*
 * setOpen(set, place, local, peer): a socket at `place` (its number in the set, free), bound to the record `local` and
 * connected to the record `peer`. Returns 0, or a negative errno: running out of descriptors or ports is the
 * caller's daily life and no exception.
 */
napi_value set_open(napi_env env, napi_callback_info info) {
  struct arguments given = arguments_of(env, info);
  struct socket_set *set = argument_owner(&given, 0, SOCKET_SET);
  const int32_t place = argument_int(&given, 1);
  const struct view local = argument_array(&given, 2, napi_uint8_array);
  const struct view peer = argument_array(&given, 3, napi_uint8_array);
  struct datagram_options options = {.traffic_class = -1};
  const char *failing = NULL;
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
  union address own = {0};
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
  const struct socket_set *set = argument_owner(&given, 0, SOCKET_SET);
  const int32_t place = argument_int(&given, 1);
  const struct view bytes = argument_array(&given, 2, napi_uint8_array);
  if (!given.ok || place < 0 || (uint32_t)place >= set->most) return throw_misuse(env, "setSend(set, place, bytes)");
  const int fd = set->members[place].fd;
  int number = EBADF;
  /* An error may be the fate of an earlier datagram (ICMP), told once: then this one has not been tried yet. */
  for (int attempt = 0; fd >= 0 && attempt < 2; attempt += 1) {
    if (send(fd, bytes.data, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return int_value(env, 0);
    number = errno;
    if (number == EAGAIN || number == EWOULDBLOCK) break;
  }
  return int_value(env, -number);
}

/* setCloseSocket(set, place): its number may be given to another at once. */
napi_value set_close_socket(napi_env env, napi_callback_info info) {
  struct arguments given = arguments_of(env, info);
  struct socket_set *set = argument_owner(&given, 0, SOCKET_SET);
  const int32_t place = argument_int(&given, 1);
  if (!given.ok || place < 0 || (uint32_t)place >= set->most) return throw_misuse(env, "setCloseSocket(set, place)");
  if (set->members[place].fd >= 0) close(set->members[place].fd); /* which also takes it out of the poll set */
  set->members[place].fd = -1;
  return NULL;
}

/* setClose(set, closed): closes every socket; `closed` is called when the set is gone. */
napi_value set_close(napi_env env, napi_callback_info info) {
  struct arguments given = arguments_of(env, info);
  struct socket_set *set = argument_owner(&given, 0, SOCKET_SET);
  if (!given.ok || given.count < 2) return throw_misuse(env, "setClose(set, closed)");
  if (set->closing) return NULL;
  set->closing = true;
  lifetime_closed(set, given.values[1]);
  if (!set->delivering) shut(set);
  return NULL;
}
