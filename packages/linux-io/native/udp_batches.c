/*
 * One bound UDP socket: recvmmsg into the receive slab, one call of JavaScript, sendmmsg from the reply slab.
 *
 * Lifetime: `udpOpen` gives JavaScript an external and keeps it, the arrays and the handler alive until the socket has
 * closed. `udpClose`, or the end of the thread's environment, closes both libuv handles; when the last of them is gone
 * and the external has been collected, the memory is freed.
 */
#include <errno.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "arguments.h"
#include "datagram_queue.h"
#include "endpoint.h"
#include "exports.h"
#include "slabs.h"
#include "socket_options.h"

/* Batches per wake-up; then timers and other sockets are due, however long the flood lasts. */
#define MOST_ROUNDS 8
/* Replies that get their time and leave in one system call: each further one would be stamped some 2 us early. */
#define STAMPED_AT_ONCE 4
#define REPLY_CONTROL_BYTES 64
#define RETRY_MS 2
/* Seconds from 1900, where NTP begins, to 1970 (RFC 5905 section 6). */
#define NTP_EPOCH 2208988800u

/* Places in the counters' Float64Array; the same order stands in src/native-socket.ts. */
enum counter { RECEIVED, BATCHES, FULL_BATCHES, TRUNCATED, SENT, SEND_FAILURES, RECEIVE_ERRORS, COUNTERS };

struct batch_socket {
  napi_env env;
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
  napi_ref self;
  napi_ref options; /* keeps every array alive */
  napi_ref handler;
  napi_ref closed;
  uv_poll_t poll;
  uv_timer_t retry;
  int handles;
  int fd;
  int family;
  uint16_t port; /* network order */
  struct wanted wanted;
  int32_t stamp_at; /* -1: none */
  bool closing, delivering, ending, finalized, writable_wanted;
  struct arrivals arrivals;
  struct receiver receiver;
  uint8_t *reply_bytes;
  int32_t *reply_lengths;
  uint32_t reply_slot_size;
  double *counters;
  struct mmsghdr *outgoing;
  struct iovec *parts;
  uint8_t *control;
  union address *names;
  struct datagram_queue queue;
};

static void on_poll(uv_poll_t *poll, int status, int events);
static void watch(struct batch_socket *s);

static void socket_free(struct batch_socket *s) {
  receiver_free(&s->receiver);
  free(s->outgoing);
  free(s->parts);
  free(s->control);
  free(s->names);
  free(s);
}

static void finalize(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  struct batch_socket *s = data;
  s->finalized = true;
  if (s->handles == 0) socket_free(s);
}

/* ---- closing ---- */

static void call_closed(struct batch_socket *s) {
  napi_handle_scope scope;
  napi_value callback, receiver;
  napi_open_handle_scope(s->env, &scope);
  if (s->closed != NULL && napi_get_reference_value(s->env, s->closed, &callback) == napi_ok &&
      napi_get_global(s->env, &receiver) == napi_ok)
    napi_make_callback(s->env, s->context, receiver, callback, 0, NULL, NULL);
  napi_close_handle_scope(s->env, scope);
}

static void on_handle_closed(uv_handle_t *handle) {
  struct batch_socket *s = handle->data;
  s->handles -= 1;
  if (s->handles > 0) return;
  if (!s->ending) {
    call_closed(s);
    napi_delete_reference(s->env, s->handler);
    napi_delete_reference(s->env, s->options);
    if (s->closed != NULL) napi_delete_reference(s->env, s->closed);
    napi_async_destroy(s->env, s->context);
    napi_delete_reference(s->env, s->self); /* from here on the external may be collected */
  }
  napi_remove_async_cleanup_hook(s->cleanup);
  if (s->finalized) socket_free(s);
}

static void shut(struct batch_socket *s) {
  s->closing = true;
  s->counters[SEND_FAILURES] += queue_clear(&s->queue);
  uv_poll_stop(&s->poll);
  uv_timer_stop(&s->retry);
  uv_close((uv_handle_t *)&s->poll, on_handle_closed);
  uv_close((uv_handle_t *)&s->retry, on_handle_closed);
  close(s->fd);
  s->fd = -1;
}

/* The environment ends (process exit, worker terminated): nobody can be called any more. */
static void on_environment_end(napi_async_cleanup_hook_handle handle, void *data) {
  (void)handle;
  struct batch_socket *s = data;
  s->ending = true;
  if (s->fd >= 0) shut(s);
}

/* ---- sending ---- */

static void stamp(const struct batch_socket *s, const struct msghdr *header) {
  struct timespec now;
  const struct iovec *part = header->msg_iov;
  if (s->stamp_at < 0 || part->iov_len < (size_t)s->stamp_at + 8) return;
  clock_gettime(CLOCK_REALTIME, &now);
  const uint32_t seconds = htonl((uint32_t)now.tv_sec + NTP_EPOCH); /* wraps into the next era in 2036, as it should */
  const uint32_t fraction = htonl((uint32_t)(((uint64_t)now.tv_nsec << 32) / 1000000000u));
  uint8_t *at = (uint8_t *)part->iov_base + s->stamp_at;
  memcpy(at, &seconds, 4);
  memcpy(at + 4, &fraction, 4);
}

static bool is_full(int number) {
  return number == EAGAIN || number == EWOULDBLOCK || number == ENOBUFS;
}

/*
 * Sends messages [0, count) and returns how many are done with: sent, or counted as failed. Stops early, with errno
 * set, only when the kernel has no room.
 */
static uint32_t send_all(struct batch_socket *s, struct mmsghdr *messages, uint32_t count) {
  uint32_t at = 0;
  bool asked_again = false;
  while (at < count) {
    uint32_t some = count - at;
    if (s->stamp_at >= 0) {
      if (some > STAMPED_AT_ONCE) some = STAMPED_AT_ONCE;
      for (uint32_t i = 0; i < some; i += 1) stamp(s, &messages[at + i].msg_hdr);
    }
    const int sent = sendmmsg(s->fd, messages + at, some, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
      s->counters[SENT] += sent;
      at += (uint32_t)sent;
      asked_again = false;
      continue;
    }
    if (errno == EINTR) continue;
    if (is_full(errno)) break;
    /* A connected socket tells the fate of an earlier datagram here: this one has not been tried yet. */
    if (errno == ECONNREFUSED && !asked_again) {
      asked_again = true;
      continue;
    }
    s->counters[SEND_FAILURES] += 1;
    at += 1;
    asked_again = false;
  }
  return at;
}

static void enqueue(struct batch_socket *s, const struct msghdr *header) {
  if (!queue_add(&s->queue, header)) s->counters[SEND_FAILURES] += 1;
}

static void on_retry(uv_timer_t *timer);

/* Waits for room: EAGAIN ends when the socket is writable; ENOBUFS lies below it and is tried again by the clock. */
static void wait_for_room(struct batch_socket *s, int number) {
  if (s->queue.first == NULL) return;
  if (number == ENOBUFS) uv_timer_start(&s->retry, on_retry, RETRY_MS, 0);
  else s->writable_wanted = true;
  watch(s);
}

static void flush_queue(struct batch_socket *s) {
  s->writable_wanted = false;
  while (s->queue.first != NULL) {
    struct waiting *entry = s->queue.first;
    struct mmsghdr message = {.msg_hdr = entry->header};
    if (send_all(s, &message, 1) == 0) {
      const int number = errno;
      entry->attempts += 1;
      if (entry->attempts < MOST_ATTEMPTS) {
        wait_for_room(s, number);
        return;
      }
      s->counters[SEND_FAILURES] += 1;
    }
    queue_drop_first(&s->queue);
  }
}

static void on_retry(uv_timer_t *timer) {
  struct batch_socket *s = timer->data;
  flush_queue(s);
  watch(s);
}

static void transmit(struct batch_socket *s, struct mmsghdr *messages, uint32_t count) {
  const bool behind = s->queue.first != NULL; /* order: what waits goes first */
  const uint32_t done = behind ? 0 : send_all(s, messages, count);
  const int number = errno;
  for (uint32_t i = done; i < count; i += 1) enqueue(s, &messages[i].msg_hdr);
  if (!behind && done < count) wait_for_room(s, number);
}

/* The address to send from, as a control message; none where the record is empty. */
static void set_source(struct msghdr *header, uint8_t *control, const uint8_t *local, int family) {
  header->msg_control = NULL;
  header->msg_controllen = 0;
  if (local == NULL || local[0] != (family == AF_INET ? 4 : 6)) return;
  header->msg_control = control;
  struct cmsghdr *part = (struct cmsghdr *)control;
  union address address;
  socklen_t length;
  if (!address_from_record(local, family, &address, &length)) return;
  if (family == AF_INET) {
    const struct in_pktinfo info = {.ipi_spec_dst = address.v4.sin_addr};
    header->msg_controllen = CMSG_SPACE(sizeof info);
    *part = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof info), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO};
    memcpy(CMSG_DATA(part), &info, sizeof info);
  } else {
    const struct in6_pktinfo info = {.ipi6_addr = address.v6.sin6_addr, .ipi6_ifindex = address.v6.sin6_scope_id};
    header->msg_controllen = CMSG_SPACE(sizeof info);
    *part = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof info), .cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO};
    memcpy(CMSG_DATA(part), &info, sizeof info);
  }
}

static const uint8_t *local_of(const struct batch_socket *s, const uint8_t *record) {
  return s->wanted.local ? record : NULL;
}

static void set_message(struct batch_socket *s, uint32_t n, void *name, socklen_t name_length, const uint8_t *local, void *bytes, size_t length) {
  struct msghdr *header = &s->outgoing[n].msg_hdr;
  s->parts[n] = (struct iovec){bytes, length};
  header->msg_name = name;
  header->msg_namelen = name_length;
  header->msg_iov = &s->parts[n];
  header->msg_iovlen = 1;
  set_source(header, s->control + (size_t)n * REPLY_CONTROL_BYTES, local_of(s, local), s->family);
}

/* The replies to a batch of `count`; a length beyond its slot would show a stranger the neighbour's answer. */
static void reply(struct batch_socket *s, uint32_t count) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < count; i += 1) {
    const int32_t length = s->reply_lengths[i];
    if (length <= 0) continue;
    if (s->closing || (uint32_t)length > s->reply_slot_size) {
      s->counters[SEND_FAILURES] += 1;
      continue;
    }
    const struct msghdr *from = &s->receiver.messages[i].msg_hdr;
    set_message(s, n, from->msg_name, from->msg_namelen, s->arrivals.locals + (size_t)i * ENDPOINT_BYTES,
                s->reply_bytes + (size_t)i * s->reply_slot_size, (size_t)length);
    n += 1;
  }
  if (n > 0) transmit(s, s->outgoing, n);
}

/* ---- receiving ---- */

static void call_handler(struct batch_socket *s, uint32_t count) {
  napi_handle_scope scope;
  napi_value handler, receiver, argument, thrown;
  bool pending = false;
  if (napi_open_handle_scope(s->env, &scope) != napi_ok) return;
  s->delivering = true;
  if (napi_get_reference_value(s->env, s->handler, &handler) == napi_ok && napi_get_global(s->env, &receiver) == napi_ok &&
      napi_create_uint32(s->env, count, &argument) == napi_ok)
    napi_make_callback(s->env, s->context, receiver, handler, 1, &argument, NULL);
  s->delivering = false;
  /* The TypeScript face catches what a role throws; anything that gets here is a defect and ends the process. */
  if (napi_is_exception_pending(s->env, &pending) == napi_ok && pending && !s->ending &&
      napi_get_and_clear_last_exception(s->env, &thrown) == napi_ok)
    napi_fatal_exception(s->env, thrown);
  napi_close_handle_scope(s->env, scope);
}

static void deliver(struct batch_socket *s, uint32_t count) {
  for (uint32_t i = 0; i < count; i += 1)
    if (arrival_translate(&s->receiver, &s->arrivals, i, s->wanted, s->port)) s->counters[TRUNCATED] += 1;
  memset(s->reply_lengths, 0, count * sizeof *s->reply_lengths);
  s->counters[RECEIVED] += count;
  s->counters[BATCHES] += 1;
  if (count == s->arrivals.capacity) s->counters[FULL_BATCHES] += 1;
  call_handler(s, count);
  if (s->fd < 0) return; /* the environment ended meanwhile */
  reply(s, count);
  if (s->closing) shut(s);
}

static void receive(struct batch_socket *s) {
  for (int round = 0; round < MOST_ROUNDS && !s->closing; round += 1) {
    const int count = recvmmsg(s->fd, s->receiver.messages, s->arrivals.capacity, MSG_DONTWAIT, NULL);
    if (count < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) return;
      if (errno != EINTR) s->counters[RECEIVE_ERRORS] += 1; /* of an earlier send, or the interface went down */
      continue;
    }
    deliver(s, (uint32_t)count);
    receiver_prepare(&s->receiver, 0, (uint32_t)count);
    if ((uint32_t)count < s->arrivals.capacity) return;
  }
}

static void watch(struct batch_socket *s) {
  if (s->closing || s->fd < 0) return;
  uv_poll_start(&s->poll, UV_READABLE | (s->writable_wanted ? UV_WRITABLE : 0), on_poll);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
  struct batch_socket *s = poll->data;
  if (status < 0) { /* libuv stops watching at an error of the socket; it is taken off and watching goes on */
    int number = 0;
    socklen_t length = sizeof number;
    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &number, &length);
    s->counters[RECEIVE_ERRORS] += 1;
    watch(s);
    events = UV_READABLE;
  }
  if ((events & UV_WRITABLE) != 0) {
    flush_queue(s);
    watch(s);
  }
  if ((events & UV_READABLE) != 0) receive(s);
}

/* ---- what JavaScript calls ---- */

static bool read_options(struct arguments *call, napi_value object, struct batch_socket *s, struct datagram_options *options) {
  const struct view local = property_view(call, object, "local", napi_uint8_array);
  const struct view peer = property_view(call, object, "peer", napi_uint8_array);
  const struct view reply_bytes = property_view(call, object, "replyBytes", napi_uint8_array);
  const struct view reply_lengths = property_view(call, object, "replyLengths", napi_int32_array);
  const struct view counters = property_view(call, object, "counters", napi_float64_array);
  const int32_t reply_slot_size = property_int(call, object, "replySlotSize");
  s->stamp_at = property_int(call, object, "stampAt");
  options->receive_buffer = property_int(call, object, "receiveBuffer");
  options->hop_limit = property_int(call, object, "hopLimit");
  options->traffic_class = property_int(call, object, "trafficClass");
  options->reuse_port = property_bool(call, object, "reusePort");
  options->free_bind = property_bool(call, object, "freeBind");
  options->receive_time = property_bool(call, object, "receiveTime");
  options->receive_hop_limit = property_bool(call, object, "receiveHopLimit");
  options->receive_local = property_bool(call, object, "receiveLocal");
  if (!arrivals_from(call, property(call, object, "arrivals"), &s->arrivals)) return false;
  if (!call->ok || reply_slot_size < 0 || reply_lengths.length < s->arrivals.capacity || counters.length < COUNTERS ||
      reply_bytes.length < (size_t)s->arrivals.capacity * (size_t)reply_slot_size || local.length < ENDPOINT_BYTES ||
      peer.length < ENDPOINT_BYTES || !address_from_record(local.data, AF_UNSPEC, &options->local, &options->local_length))
    return false;
  options->peer.any.sa_family = AF_UNSPEC;
  if (((uint8_t *)peer.data)[0] != 0 &&
      !address_from_record(peer.data, options->local.any.sa_family, &options->peer, &options->peer_length))
    return false;
  s->family = options->local.any.sa_family;
  s->wanted = (struct wanted){.time = options->receive_time, .local = options->receive_local};
  s->reply_bytes = reply_bytes.data;
  s->reply_lengths = reply_lengths.data;
  s->reply_slot_size = (uint32_t)reply_slot_size;
  s->counters = counters.data;
  return true;
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
  union address own;
  socklen_t length = sizeof own;
  getsockname(s->fd, &own.any, &length);
  s->port = own.any.sa_family == AF_INET ? own.v4.sin_port : own.v6.sin6_port;
  record_from_address(&own, bound);
  if (s->wanted.local) return;
  for (uint32_t i = 0; i < s->arrivals.capacity; i += 1) memcpy(s->arrivals.locals + (size_t)i * ENDPOINT_BYTES, bound, ENDPOINT_BYTES);
}

static void start(struct batch_socket *s, uv_loop_t *loop) {
  uv_poll_init(loop, &s->poll, s->fd);
  uv_timer_init(loop, &s->retry);
  s->poll.data = s->retry.data = s;
  s->handles = 2;
  watch(s);
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
  napi_value external, name;
  uv_loop_t *loop;
  if (s == NULL) return throw_errno(env, ENOMEM, "socket");
  s->env = env;
  s->fd = -1;
  if (call.count < 2 || !read_options(&call, call.values[0], s, &options)) {
    free(s);
    return throw_misuse(env, "udpOpen(options, handler)");
  }
  errno = ENOMEM;
  if (!allocate(s) || (s->fd = datagram_socket(&options, &failing)) < 0) {
    const int number = errno;
    socket_free(s);
    return throw_errno(env, number, failing);
  }
  note_local(s, property_view(&call, call.values[0], "local", napi_uint8_array).data);
  napi_set_named_property(env, call.values[0], "granted", int_value(env, granted_receive_buffer(s->fd)));
  napi_create_string_utf8(env, "stitch.datagrams", NAPI_AUTO_LENGTH, &name);
  if (napi_get_uv_event_loop(env, &loop) != napi_ok || napi_async_init(env, NULL, name, &s->context) != napi_ok ||
      napi_create_external(env, s, finalize, NULL, &external) != napi_ok) {
    close(s->fd);
    socket_free(s);
    return throw_misuse(env, "this environment has no event loop");
  }
  napi_create_reference(env, external, 1, &s->self);
  napi_create_reference(env, call.values[0], 1, &s->options);
  napi_create_reference(env, call.values[1], 1, &s->handler);
  start(s, loop);
  napi_add_async_cleanup_hook(env, on_environment_end, s, &s->cleanup);
  return external;
}

/* udpSend(socket, peers, peerAt, locals, localAt, bytes): one datagram; failures are counted. */
napi_value udp_send(napi_env env, napi_callback_info info) {
  struct arguments call = arguments_of(env, info);
  struct batch_socket *s = argument_external(&call, 0);
  const struct view peers = argument_bytes(&call, 1);
  const int32_t peer_at = argument_int(&call, 2);
  const struct view locals = argument_bytes(&call, 3);
  const int32_t local_at = argument_int(&call, 4);
  const struct view bytes = argument_bytes(&call, 5);
  if (!call.ok || peer_at < 0 || local_at < 0 || peers.length < (size_t)peer_at + ENDPOINT_BYTES)
    return throw_misuse(env, "udpSend(socket, peers, peerAt, locals, localAt, bytes)");
  const uint8_t *local = locals.length >= (size_t)local_at + ENDPOINT_BYTES ? (uint8_t *)locals.data + local_at : NULL;
  union address peer;
  socklen_t length = 0;
  if (s->closing || !address_from_record((uint8_t *)peers.data + peer_at, s->family, &peer, &length)) {
    s->counters[SEND_FAILURES] += 1;
    return NULL;
  }
  struct mmsghdr message = {0};
  struct iovec part = {bytes.data, bytes.length};
  uint8_t control[REPLY_CONTROL_BYTES] __attribute__((aligned(8))) = {0};
  message.msg_hdr = (struct msghdr){.msg_name = &peer, .msg_namelen = length, .msg_iov = &part, .msg_iovlen = 1};
  set_source(&message.msg_hdr, control, local == NULL ? NULL : local_of(s, local), s->family);
  transmit(s, &message, 1);
  return NULL;
}

/*
 * udpSendMany(socket, bytes, slotSize, lengths, peers, count): datagram i lies at i * slotSize and goes to record i; a
 * connected socket needs no records. Returns how many the kernel is done with; the rest is the caller's to try again.
 */
napi_value udp_send_many(napi_env env, napi_callback_info info) {
  struct arguments call = arguments_of(env, info);
  struct batch_socket *s = argument_external(&call, 0);
  const struct view bytes = argument_bytes(&call, 1);
  const int32_t slot = argument_int(&call, 2);
  napi_typedarray_type type = napi_uint8_array;
  struct view lengths = {NULL, 0};
  const struct view peers = argument_bytes(&call, 4);
  const int32_t count = argument_int(&call, 5);
  if (!call.ok || slot <= 0 || count < 0 ||
      napi_get_typedarray_info(env, call.values[3], &type, &lengths.length, &lengths.data, NULL, NULL) != napi_ok ||
      type != napi_int32_array || lengths.length < (size_t)count || bytes.length < (size_t)slot * (size_t)count ||
      (peers.length != 0 && peers.length < (size_t)count * ENDPOINT_BYTES))
    return throw_misuse(env, "udpSendMany(socket, bytes, slotSize, lengths, peers, count)");
  uint32_t done = 0;
  while (!s->closing && done < (uint32_t)count) {
    uint32_t n = 0, taken = 0;
    for (; done + taken < (uint32_t)count && n < s->arrivals.capacity; taken += 1) {
      const size_t i = done + taken;
      const int32_t length = ((int32_t *)lengths.data)[i];
      socklen_t name_length = 0;
      const bool addressed = peers.length == 0 || address_from_record((uint8_t *)peers.data + i * ENDPOINT_BYTES, s->family, &s->names[n], &name_length);
      if (length < 0 || length > slot || !addressed) {
        s->counters[SEND_FAILURES] += 1;
        continue;
      }
      set_message(s, n, name_length == 0 ? NULL : &s->names[n], name_length, NULL, (uint8_t *)bytes.data + i * (size_t)slot, (size_t)length);
      n += 1;
    }
    const uint32_t sent = send_all(s, s->outgoing, n);
    if (sent < n) {
      done += taken - (n - sent);
      break;
    }
    done += taken;
  }
  return int_value(env, done);
}

/* udpDrops(socket): datagrams dropped for want of buffer since it was opened; -1 once it is closed. */
napi_value udp_drops(napi_env env, napi_callback_info info) {
  struct arguments call = arguments_of(env, info);
  const struct batch_socket *s = argument_external(&call, 0);
  uint32_t memory[SK_MEMINFO_VARS] = {0};
  socklen_t length = sizeof memory;
  if (!call.ok) return throw_misuse(env, "udpDrops(socket)");
  if (s->fd < 0 || getsockopt(s->fd, SOL_SOCKET, SO_MEMINFO, memory, &length) != 0) return int_value(env, -1);
  return int_value(env, memory[SK_MEMINFO_DROPS]);
}

/* udpClose(socket, closed): no further batch; `closed` is called when the system has let go. A second call does nothing. */
napi_value udp_close(napi_env env, napi_callback_info info) {
  struct arguments call = arguments_of(env, info);
  struct batch_socket *s = argument_external(&call, 0);
  if (!call.ok || call.count < 2) return throw_misuse(env, "udpClose(socket, closed)");
  if (s->closing) return NULL;
  s->closing = true;
  napi_create_reference(env, call.values[1], 1, &s->closed);
  if (!s->delivering) shut(s);
  return NULL;
}
