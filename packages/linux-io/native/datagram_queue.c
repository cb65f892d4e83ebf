#include "datagram_queue.h"

#include <stdlib.h>
#include <string.h>

bool queue_add(struct datagram_queue *queue, const struct msghdr *message) {
  const size_t name = (message->msg_namelen + 15) & ~(size_t)15;
  const size_t control = (message->msg_controllen + 15) & ~(size_t)15;
  const size_t payload = message->msg_iov[0].iov_len;
  const size_t cost = sizeof(struct waiting) + name + control + payload;
  if (queue->bytes + cost > MOST_QUEUED_BYTES) return false;
  struct waiting *entry = malloc(cost);
  if (entry == NULL) return false;
  memset(entry, 0, sizeof *entry);
  entry->cost = cost;
  entry->part = (struct iovec){entry->memory + name + control, payload};
  entry->header.msg_name = message->msg_namelen == 0 ? NULL : entry->memory;
  entry->header.msg_namelen = message->msg_namelen;
  entry->header.msg_control = message->msg_controllen == 0 ? NULL : entry->memory + name;
  entry->header.msg_controllen = message->msg_controllen;
  entry->header.msg_iov = &entry->part;
  entry->header.msg_iovlen = 1;
  if (message->msg_namelen > 0) memcpy(entry->memory, message->msg_name, message->msg_namelen);
  if (message->msg_controllen > 0) memcpy(entry->memory + name, message->msg_control, message->msg_controllen);
  if (payload > 0) memcpy(entry->part.iov_base, message->msg_iov[0].iov_base, payload);
  if (queue->last == NULL) queue->first = entry;
  else queue->last->next = entry;
  queue->last = entry;
  queue->bytes += cost;
  return true;
}

void queue_drop_first(struct datagram_queue *queue) {
  struct waiting *entry = queue->first;
  queue->first = entry->next;
  if (queue->first == NULL) {
    queue->last = NULL;
    queue->refusals = 0;
  }
  queue->bytes -= entry->cost;
  free(entry);
}

unsigned queue_clear(struct datagram_queue *queue) {
  unsigned count = 0;
  for (; queue->first != NULL; count += 1) queue_drop_first(queue);
  return count;
}
