#include <errno.h>
#include <string.h>
#include <time.h>

#include "arguments.h"
#include "exports.h"
#include "udp_socket.h"

/* Replies that get their time and leave in one system call: each further one would be stamped some 2 us early. */
#define STAMPED_AT_ONCE 4
#define RETRY_MS 2
/* Seconds from 1900, where NTP begins, to 1970 (RFC 5905 section 6). */
#define NTP_EPOCH 2208988800u

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
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && is_full(errno)) break;
    /* A connected socket tells the fate of an earlier datagram here (ICMP): this one has not been tried yet. */
    if (s->connected && !asked_again) {
      asked_again = true;
      continue;
    }
    s->counters[SEND_FAILURES] += 1;
    at += 1;
    asked_again = false;
  }
  return at;
}

/* ---- what waits for room ---- */

static void on_retry(uv_timer_t *timer) {
  struct batch_socket *s = timer->data;
  udp_flush(s);
  udp_watch(s);
}

/* EAGAIN ends when the socket is writable; ENOBUFS comes from below it and is tried again by the clock. */
static void wait_for_room(struct batch_socket *s, int number) {
  if (number == ENOBUFS) uv_timer_start(&s->retry, on_retry, RETRY_MS, 0);
  else s->writable_wanted = true;
  udp_watch(s);
}

/* True when the first of the queue is to be tried again later. */
static bool is_put_off(struct batch_socket *s, int number) {
  if (number != ENOBUFS) return true;
  s->queue.refusals += 1;
  return s->queue.refusals < MOST_REFUSALS;
}

void udp_flush(struct batch_socket *s) {
  s->writable_wanted = false;
  while (s->queue.first != NULL) {
    struct mmsghdr message = {.msg_hdr = s->queue.first->header};
    if (send_all(s, &message, 1) == 1) {
      s->queue.refusals = 0;
    } else {
      const int number = errno;
      if (is_put_off(s, number)) {
        wait_for_room(s, number);
        return;
      }
      s->counters[SEND_FAILURES] += 1;
    }
    queue_drop_first(&s->queue);
  }
}

static void transmit(struct batch_socket *s, struct mmsghdr *messages, uint32_t count) {
  const bool behind = s->queue.first != NULL; /* order: what waits goes first */
  const uint32_t done = behind ? 0 : send_all(s, messages, count);
  const int number = errno;
  for (uint32_t i = done; i < count; i += 1)
    if (!queue_add(&s->queue, &messages[i].msg_hdr)) s->counters[SEND_FAILURES] += 1;
  if (!behind && s->queue.first != NULL) wait_for_room(s, number);
}

/* ---- messages ---- */

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

/* A length beyond its slot would show a stranger the neighbour's answer. */
void udp_reply(struct batch_socket *s, uint32_t end) {
  uint32_t n = 0;
  for (uint32_t i = s->replied; i < end; i += 1) {
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
  s->replied = end;
  if (n > 0) transmit(s, s->outgoing, n);
}

/* ---- what JavaScript calls ---- */

/* udpReply(socket, end): from within the handler, the replies to slots below `end` at once; from elsewhere nothing. */
napi_value udp_reply_now(napi_env env, napi_callback_info info) {
  struct arguments call = arguments_of(env, info);
  struct batch_socket *s = argument_owner(&call, 0, BATCH_SOCKET);
  const int32_t end = argument_int(&call, 1);
  if (!call.ok || end < 0) return throw_misuse(env, "udpReply(socket, end)");
  const uint32_t last = (uint32_t)end < s->batch ? (uint32_t)end : s->batch;
  /* The handler may have transferred the slab away in this very call. */
  if (s->delivering && last > s->replied && lifetime_buffers_intact(s)) udp_reply(s, last);
  return NULL;
}

/* udpSend(socket, peers, peerAt, locals, localAt, bytes): one datagram; failures are counted. */
napi_value udp_send(napi_env env, napi_callback_info info) {
  struct arguments call = arguments_of(env, info);
  struct batch_socket *s = argument_owner(&call, 0, BATCH_SOCKET);
  const struct view peers = argument_array(&call, 1, napi_uint8_array);
  const int32_t peer_at = argument_int(&call, 2);
  const struct view locals = argument_array(&call, 3, napi_uint8_array);
  const int32_t local_at = argument_int(&call, 4);
  const struct view bytes = argument_array(&call, 5, napi_uint8_array);
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

struct outgoing {
  uint8_t *bytes;
  const int32_t *lengths;
  const uint8_t *peers; /* NULL: to the peer of a connected socket */
  int32_t slot_size;
};

/* Makes message n of datagram i; false when it cannot be sent at all. */
static bool take(struct batch_socket *s, uint32_t n, const struct outgoing *from, size_t i) {
  const int32_t length = from->lengths[i];
  socklen_t name_length = 0;
  if (length < 0 || length > from->slot_size) return false;
  if (from->peers != NULL && !address_from_record(from->peers + i * ENDPOINT_BYTES, s->family, &s->names[n], &name_length)) return false;
  set_message(s, n, name_length == 0 ? NULL : &s->names[n], name_length, NULL, from->bytes + i * (size_t)from->slot_size, (size_t)length);
  return true;
}

/* Returns how many of [0, count) are done with. What cannot be sent is a failure at its turn, not before. */
static uint32_t send_slots(struct batch_socket *s, const struct outgoing *from, uint32_t count) {
  uint32_t done = 0;
  while (done < count) {
    uint32_t n = 0;
    while (n < s->arrivals.capacity && done + n < count && take(s, n, from, (size_t)done + n)) n += 1;
    const uint32_t sent = send_all(s, s->outgoing, n);
    done += sent;
    if (sent < n) break; /* no room */
    if (n > 0) continue;
    s->counters[SEND_FAILURES] += 1;
    done += 1;
  }
  return done;
}

/*
 * udpSendMany(socket, bytes, slotSize, lengths, peers, count): datagram i lies at i * slotSize and goes to record i; a
 * connected socket needs no records. Returns how many are done with: sent, or counted as failures, all of them once the
 * socket is closed. The rest found no room, or would have overtaken what waits, and is the caller's to offer again.
 */
napi_value udp_send_many(napi_env env, napi_callback_info info) {
  struct arguments call = arguments_of(env, info);
  struct batch_socket *s = argument_owner(&call, 0, BATCH_SOCKET);
  const struct view bytes = argument_array(&call, 1, napi_uint8_array);
  const int32_t slot = argument_int(&call, 2);
  const struct view lengths = argument_array(&call, 3, napi_int32_array);
  const struct view peers = argument_array(&call, 4, napi_uint8_array);
  const int32_t count = argument_int(&call, 5);
  if (!call.ok || slot <= 0 || count < 0 || lengths.length < (size_t)count || bytes.length < (size_t)slot * (size_t)count ||
      (peers.length != 0 && peers.length < (size_t)count * ENDPOINT_BYTES))
    return throw_misuse(env, "udpSendMany(socket, bytes, slotSize, lengths, peers, count)");
  const struct outgoing from = {bytes.data, lengths.data, peers.length == 0 ? NULL : peers.data, slot};
  if (s->closing) {
    s->counters[SEND_FAILURES] += count;
    return int_value(env, count);
  }
  return int_value(env, s->queue.first != NULL ? 0 : send_slots(s, &from, (uint32_t)count));
}
