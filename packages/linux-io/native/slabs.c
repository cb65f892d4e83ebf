#include "slabs.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

bool arrivals_from(struct arguments *call, napi_value object, struct arrivals *into, napi_value *buffer) {
  const napi_value whole = *buffer = property(call, object, "buffer");
  const int32_t capacity = property_int(call, object, "capacity");
  const int32_t slot_size = property_int(call, object, "slotSize");
  const struct view bytes = property_view_in(call, object, "bytes", napi_uint8_array, whole);
  const struct view lengths = property_view_in(call, object, "lengths", napi_int32_array, whole);
  const struct view flags = property_view_in(call, object, "flags", napi_uint8_array, whole);
  const struct view peers = property_view_in(call, object, "peers", napi_uint8_array, whole);
  const struct view locals = property_view_in(call, object, "locals", napi_uint8_array, whole);
  const struct view hops = property_view_in(call, object, "hopLimits", napi_uint8_array, whole);
  const struct view seconds = property_view_in(call, object, "receivedSeconds", napi_uint32_array, whole);
  const struct view nanoseconds = property_view_in(call, object, "receivedNanoseconds", napi_uint32_array, whole);
  if (!call->ok || capacity <= 0 || slot_size <= 0) return call->ok = false;
  const size_t n = (size_t)capacity;
  if (bytes.length < n * (size_t)slot_size || lengths.length < n || flags.length < n || hops.length < n ||
      peers.length < n * ENDPOINT_BYTES || locals.length < n * ENDPOINT_BYTES || seconds.length < n || nanoseconds.length < n)
    return call->ok = false;
  *into = (struct arrivals){
      .capacity = (uint32_t)capacity,
      .slot_size = (uint32_t)slot_size,
      .bytes = bytes.data,
      .lengths = lengths.data,
      .flags = flags.data,
      .peers = peers.data,
      .locals = locals.data,
      .hop_limits = hops.data,
      .seconds = seconds.data,
      .nanoseconds = nanoseconds.data,
  };
  return true;
}

bool receiver_allocate(struct receiver *receiver, const struct arrivals *arrivals) {
  const uint32_t n = arrivals->capacity;
  receiver->messages = calloc(n, sizeof *receiver->messages);
  receiver->parts = calloc(n, sizeof *receiver->parts);
  receiver->names = calloc(n, sizeof *receiver->names);
  receiver->control = calloc(n, CONTROL_BYTES);
  if (receiver->messages == NULL || receiver->parts == NULL || receiver->names == NULL || receiver->control == NULL) return false;
  for (uint32_t i = 0; i < n; i += 1) {
    struct msghdr *header = &receiver->messages[i].msg_hdr;
    receiver->parts[i] = (struct iovec){arrivals->bytes + (size_t)i * arrivals->slot_size, arrivals->slot_size};
    header->msg_iov = &receiver->parts[i];
    header->msg_iovlen = 1;
    header->msg_name = &receiver->names[i];
    header->msg_control = receiver->control + (size_t)i * CONTROL_BYTES;
  }
  receiver_prepare(receiver, 0, n);
  return true;
}

void receiver_free(struct receiver *receiver) {
  free(receiver->messages);
  free(receiver->parts);
  free(receiver->names);
  free(receiver->control);
  memset(receiver, 0, sizeof *receiver);
}

void receiver_prepare(struct receiver *receiver, uint32_t from, uint32_t to) {
  for (uint32_t i = from; i < to; i += 1) {
    struct msghdr *header = &receiver->messages[i].msg_hdr;
    header->msg_namelen = sizeof(union address);
    header->msg_controllen = CONTROL_BYTES;
    header->msg_flags = 0;
  }
}

static void stamp_now(const struct arrivals *arrivals, uint32_t i) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  arrivals->seconds[i] = (uint32_t)now.tv_sec;
  arrivals->nanoseconds[i] = (uint32_t)now.tv_nsec;
}

static void read_control(struct msghdr *header, const struct arrivals *arrivals, uint32_t i, struct wanted wanted, uint16_t port) {
  uint8_t *local = arrivals->locals + (size_t)i * ENDPOINT_BYTES;
  bool stamped = false;
  if (wanted.local) memset(local, 0, ENDPOINT_BYTES); /* not what the slot had before, should the kernel say nothing */
  arrivals->hop_limits[i] = 0;
  for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part != NULL; part = CMSG_NXTHDR(header, part)) {
    if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_TIMESTAMPNS) {
      struct timespec time;
      memcpy(&time, CMSG_DATA(part), sizeof time);
      arrivals->seconds[i] = (uint32_t)time.tv_sec;
      arrivals->nanoseconds[i] = (uint32_t)time.tv_nsec;
      stamped = true;
    } else if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
      struct in_pktinfo info;
      memcpy(&info, CMSG_DATA(part), sizeof info);
      record_from_v4(info.ipi_spec_dst, port, local); /* of a broadcast, the address to answer from */
    } else if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
      struct in6_pktinfo info;
      memcpy(&info, CMSG_DATA(part), sizeof info);
      const uint32_t scope = IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr) ? (uint32_t)info.ipi6_ifindex : 0;
      record_from_v6(&info.ipi6_addr, port, scope, local);
    } else if ((part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_TTL) ||
               (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_HOPLIMIT)) {
      int hops;
      memcpy(&hops, CMSG_DATA(part), sizeof hops);
      arrivals->hop_limits[i] = (uint8_t)hops;
    }
  }
  if (wanted.time && !stamped) stamp_now(arrivals, i);
}

bool arrival_translate(const struct receiver *receiver, const struct arrivals *arrivals, uint32_t i, struct wanted wanted, uint16_t port) {
  struct msghdr *header = &receiver->messages[i].msg_hdr;
  const bool cut = (header->msg_flags & MSG_TRUNC) != 0;
  arrivals->lengths[i] = (int32_t)receiver->messages[i].msg_len;
  arrivals->flags[i] = cut ? ARRIVAL_TRUNCATED : 0;
  record_from_address(&receiver->names[i], arrivals->peers + (size_t)i * ENDPOINT_BYTES);
  if (header->msg_controllen > 0 || wanted.time || wanted.local) read_control(header, arrivals, i, wanted, port);
  return cut;
}
