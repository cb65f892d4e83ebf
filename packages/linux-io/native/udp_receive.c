#include <errno.h>
#include <string.h>

#include "arguments.h"
#include "udp_socket.h"

/* Batches per wake-up; then timers and other sockets are due, however long the flood lasts. */
#define MOST_ROUNDS 8

static void deliver(struct batch_socket *s, uint32_t count) {
  for (uint32_t i = 0; i < count; i += 1)
    if (arrival_translate(&s->receiver, &s->arrivals, i, s->wanted, s->port)) s->counters[TRUNCATED] += 1;
  memset(s->reply_lengths, 0, count * sizeof *s->reply_lengths);
  s->counters[RECEIVED] += count;
  s->counters[BATCHES] += 1;
  if (count == s->arrivals.capacity) s->counters[FULL_BATCHES] += 1;
  s->batch = count;
  s->replied = 0;
  s->delivering = true;
  lifetime_call(s, count);
  s->delivering = false;
  if (s->fd < 0) return; /* the environment ended meanwhile */
  if (lifetime_buffers_intact(s)) udp_reply(s, count);
  else udp_watch(s);
  if (s->closing) udp_shut(s);
}

static void receive(struct batch_socket *s) {
  for (int round = 0; round < MOST_ROUNDS && !s->closing && !s->life.robbed; round += 1) {
    const int count = recvmmsg(s->fd, s->receiver.messages, s->arrivals.capacity, MSG_DONTWAIT, NULL);
    if (count < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) return;
      continue; /* EINTR, the error of an earlier send, or the interface went down */
    }
    deliver(s, (uint32_t)count);
    receiver_prepare(&s->receiver, 0, (uint32_t)count);
    if ((uint32_t)count < s->arrivals.capacity) return;
  }
}

static void on_poll(uv_poll_t *poll, int status, int events) {
  struct batch_socket *s = poll->data;
  if (status < 0) { /* libuv stops watching at an error of the socket; it is taken off and watching goes on */
    int number = 0;
    socklen_t length = sizeof number;
    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &number, &length);
    udp_watch(s);
    events = UV_READABLE;
  }
  if ((events & UV_WRITABLE) != 0) {
    udp_flush(s);
    udp_watch(s);
  }
  if ((events & UV_READABLE) == 0) return;
  if (lifetime_buffers_intact(s)) receive(s); /* JavaScript may have run since the last batch */
  else udp_watch(s);
}

void udp_watch(struct batch_socket *s) {
  if (s->closing || s->fd < 0) return;
  const int reading = s->life.robbed ? 0 : UV_READABLE, writing = s->writable_wanted ? UV_WRITABLE : 0;
  if ((reading | writing) == 0) uv_poll_stop(&s->poll);
  else uv_poll_start(&s->poll, reading | writing, on_poll);
}
