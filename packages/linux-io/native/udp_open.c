#include <errno.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "exports.h"
#include "socket_options.h"
#include "udp_socket.h"

static void release(void *socket) {
  struct batch_socket *s = socket;
  receiver_free(&s->receiver);
  free(s->outgoing);
  free(s->parts);
  free(s->control);
  free(s->names);
  free(s);
}

void udp_shut(void *socket) {
  struct batch_socket *s = socket;
  if (s->fd < 0) return;
  s->closing = true;
  s->counters[SEND_FAILURES] += queue_clear(&s->queue);
  uv_poll_stop(&s->poll);
  uv_timer_stop(&s->retry);
  lifetime_close(s, (uv_handle_t *)&s->poll);
  lifetime_close(s, (uv_handle_t *)&s->retry);
  close(s->fd); /* after libuv has let go of it */
  s->fd = -1;
}

static void read_wishes(struct arguments *call, napi_value object, struct batch_socket *s, struct datagram_options *options) {
  s->stamp_at = property_int(call, object, "stampAt");
  options->receive_buffer = property_int(call, object, "receiveBuffer");
  options->hop_limit = property_int(call, object, "hopLimit");
  options->traffic_class = property_int(call, object, "trafficClass");
  options->reuse_port = property_bool(call, object, "reusePort");
  options->free_bind = property_bool(call, object, "freeBind");
  options->receive_time = property_bool(call, object, "receiveTime");
  options->receive_hop_limit = property_bool(call, object, "receiveHopLimit");
  options->receive_local = property_bool(call, object, "receiveLocal");
}

static bool read_addresses(struct arguments *call, napi_value object, struct batch_socket *s, struct datagram_options *options) {
  const struct view local = property_view(call, object, "local", napi_uint8_array);
  const struct view peer = property_view(call, object, "peer", napi_uint8_array);
  if (!call->ok || local.length < ENDPOINT_BYTES || peer.length < ENDPOINT_BYTES ||
      !address_from_record(local.data, AF_UNSPEC, &options->local, &options->local_length))
    return false;
  s->family = options->local.any.sa_family;
  s->connected = ((uint8_t *)peer.data)[0] != 0;
  options->peer.any.sa_family = AF_UNSPEC;
  return !s->connected || address_from_record(peer.data, s->family, &options->peer, &options->peer_length);
}

/* The slabs may be handed on by a role and are watched; the counters' array is never given to anybody. */
static bool read_slabs(struct arguments *call, napi_value object, struct batch_socket *s) {
  napi_value arrivals = NULL, replies = property(call, object, "replyBuffer");
  if (!arrivals_from(call, property(call, object, "arrivals"), &s->arrivals, &arrivals)) return false;
  const struct view bytes = property_view_in(call, object, "replyBytes", napi_uint8_array, replies);
  const struct view lengths = property_view_in(call, object, "replyLengths", napi_int32_array, replies);
  const struct view counters = property_view(call, object, "counters", napi_float64_array);
  const int32_t slot_size = property_int(call, object, "replySlotSize");
  if (!call->ok || slot_size < 0 || lengths.length < s->arrivals.capacity || counters.length < COUNTERS ||
      bytes.length < (size_t)s->arrivals.capacity * (size_t)slot_size)
    return false;
  s->reply_bytes = bytes.data;
  s->reply_lengths = lengths.data;
  s->reply_slot_size = (uint32_t)slot_size;
  s->counters = counters.data;
  return lifetime_watch_buffer(s, 0, arrivals) && lifetime_watch_buffer(s, 1, replies);
}

static bool read_options(struct arguments *call, napi_value object, struct batch_socket *s, struct datagram_options *options) {
  read_wishes(call, object, s, options);
  if (!read_addresses(call, object, s, options) || !read_slabs(call, object, s)) return false;
  s->wanted = (struct wanted){.time = options->receive_time, .local = options->receive_local};
  return call->ok;
}

static bool allocate(struct batch_socket *s) {
  const uint32_t n = s->arrivals.capacity;
  s->outgoing = calloc(n, sizeof *s->outgoing);
  s->parts = calloc(n, sizeof *s->parts);
  s->names = calloc(n, sizeof *s->names);
  s->control = calloc(n, REPLY_CONTROL_BYTES);
  return receiver_allocate(&s->receiver, &s->arrivals) && s->outgoing != NULL && s->parts != NULL && s->names != NULL && s->control != NULL;
}

/* The local record of every slot of a socket that is bound to one address, and the port in any case. */
static void note_local(struct batch_socket *s, uint8_t *bound) {
  union address own = {0};
  socklen_t length = sizeof own;
  getsockname(s->fd, &own.any, &length);
  s->port = own.any.sa_family == AF_INET ? own.v4.sin_port : own.v6.sin6_port;
  record_from_address(&own, bound);
  if (s->wanted.local) return;
  for (uint32_t i = 0; i < s->arrivals.capacity; i += 1) memcpy(s->arrivals.locals + (size_t)i * ENDPOINT_BYTES, bound, ENDPOINT_BYTES);
}

/* The descriptor with its handles; 0, or an errno and the system call that failed. */
static int start(struct batch_socket *s, uv_loop_t *loop, const struct datagram_options *options, const char **failing) {
  *failing = "socket";
  if (!allocate(s)) return ENOMEM;
  s->fd = datagram_socket(options, failing);
  if (s->fd < 0) return errno;
  const int status = uv_poll_init(loop, &s->poll, s->fd);
  if (status != 0) {
    close(s->fd);
    s->fd = -1;
    *failing = "epoll_ctl";
    return -status;
  }
  lifetime_add(s, (uv_handle_t *)&s->poll);
  uv_timer_init(loop, &s->retry);
  lifetime_add(s, (uv_handle_t *)&s->retry);
  return 0;
}

/*
 * udpOpen(options, handler): opens, binds and begins to receive; throws with the code of the system call that failed.
 * The record of the bound address is written back into options.local, the granted buffer into options.granted.
 */
napi_value udp_open(napi_env env, napi_callback_info info) {
  struct arguments call = arguments_of(env, info);
  struct datagram_options options = {.traffic_class = -1};
  struct batch_socket *s = calloc(1, sizeof *s);
  const char *failing = "socket";
  uv_loop_t *loop = NULL;
  if (s == NULL) return throw_errno(env, ENOMEM, failing);
  s->fd = -1;
  const napi_value external = lifetime_begin(env, s, BATCH_SOCKET, udp_shut, release);
  if (external == NULL) return throw_errno(env, ENOMEM, failing);
  if (call.count < 2 || !read_options(&call, call.values[0], s, &options) || napi_get_uv_event_loop(env, &loop) != napi_ok ||
      !lifetime_hold(s, "stitch.datagrams", call.values[0], call.values[1])) {
    lifetime_abandon(s);
    return throw_misuse(env, "udpOpen(options, handler)");
  }
  const int number = start(s, loop, &options, &failing);
  if (number != 0) {
    lifetime_abandon(s);
    return throw_errno(env, number, failing);
  }
  note_local(s, property_view(&call, call.values[0], "local", napi_uint8_array).data);
  napi_set_named_property(env, call.values[0], "granted", int_value(env, granted_receive_buffer(s->fd)));
  udp_watch(s);
  return external;
}

/* udpDrops(socket): datagrams dropped for want of buffer since it was opened; -1 once it is closed. */
napi_value udp_drops(napi_env env, napi_callback_info info) {
  struct arguments call = arguments_of(env, info);
  const struct batch_socket *s = argument_owner(&call, 0, BATCH_SOCKET);
  uint32_t memory[SK_MEMINFO_VARS] = {0};
  socklen_t length = sizeof memory;
  if (!call.ok) return throw_misuse(env, "udpDrops(socket)");
  if (s->fd < 0 || getsockopt(s->fd, SOL_SOCKET, SO_MEMINFO, memory, &length) != 0) return int_value(env, -1);
  return int_value(env, memory[SK_MEMINFO_DROPS]);
}

/* udpClose(socket, closed): no further batch; `closed` is called when the system has let go. A second call does nothing. */
napi_value udp_close(napi_env env, napi_callback_info info) {
  struct arguments call = arguments_of(env, info);
  struct batch_socket *s = argument_owner(&call, 0, BATCH_SOCKET);
  if (!call.ok || call.count < 2) return throw_misuse(env, "udpClose(socket, closed)");
  if (s->closing) return NULL;
  s->closing = true;
  lifetime_closed(s, call.values[1]);
  if (!s->delivering) udp_shut(s);
  return NULL;
}
