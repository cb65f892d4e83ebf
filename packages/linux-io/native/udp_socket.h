/*
 * One bound UDP socket: recvmmsg into the receive slab, one call of JavaScript, sendmmsg from the reply slab.
 * udp_open.c opens and closes it, udp_receive.c reads, udp_send.c sends.
 */
#ifndef STITCH_UDP_SOCKET_H
#define STITCH_UDP_SOCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "datagram_queue.h"
#include "endpoint.h"
#include "lifetime.h"
#include "slabs.h"

#define REPLY_CONTROL_BYTES 64

/* Places in the counters' Float64Array; the same order stands in src/native-socket.ts. */
enum counter { RECEIVED, BATCHES, FULL_BATCHES, TRUNCATED, SENT, SEND_FAILURES, COUNTERS };

struct batch_socket {
  struct lifetime life;
  uv_poll_t poll;
  uv_timer_t retry;
  int fd; /* -1: closed */
  int family;
  uint16_t port; /* network order */
  struct wanted wanted;
  int32_t stamp_at; /* -1: none */
  bool connected, closing, delivering, writable_wanted;
  struct arrivals arrivals;
  struct receiver receiver;
  uint8_t *reply_bytes;
  int32_t *reply_lengths;
  uint32_t reply_slot_size;
  uint32_t batch;   /* slots of the batch that is delivered */
  uint32_t replied; /* those of them that are done with: sent, silent, or counted as failures */
  double *counters;
  struct mmsghdr *outgoing;
  struct iovec *parts;
  uint8_t *control;
  union address *names;
  struct datagram_queue queue;
};

/* udp_open.c: closes the descriptor and the handles, unless that has been done. */
void udp_shut(void *socket);
/* udp_receive.c: (again) watches for what is wanted of the descriptor. */
void udp_watch(struct batch_socket *s);
/* udp_send.c: the replies to slots below `end` of the batch, but for those that are done with. */
void udp_reply(struct batch_socket *s, uint32_t end);
/* udp_send.c: sends what waits, as far as there is room. */
void udp_flush(struct batch_socket *s);

#endif
