/* Datagrams that the kernel had no room for, copied, bounded in bytes and in time. */
#ifndef STITCH_DATAGRAM_QUEUE_H
#define STITCH_DATAGRAM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* A flood that outruns sending costs this much memory, no more; what finds no room is a failed send. */
#define MOST_QUEUED_BYTES (4u * 1024 * 1024)
/*
 * ENOBUFS comes from a queue below the socket, which tells nobody when it has room: so many tries in a row, 2 ms apart.
 * Then what is refused is given up, until something passes: 4 MiB of answers must not wait 0.1 s each.
 */
#define MOST_REFUSALS 64

struct waiting {
  struct waiting *next;
  size_t cost;
  struct msghdr header;
  struct iovec part;
  /* name, control and payload follow */
  uint8_t memory[];
};

struct datagram_queue {
  struct waiting *first;
  struct waiting *last;
  size_t bytes;
  unsigned refusals; /* in a row */
};

/* Copies the message; false when there is no room. */
bool queue_add(struct datagram_queue *queue, const struct msghdr *message);
void queue_drop_first(struct datagram_queue *queue);
/* Frees all; returns how many there were. */
unsigned queue_clear(struct datagram_queue *queue);

#endif
