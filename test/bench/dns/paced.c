/*
 * The clock of `npm run bench -- dns`: asks ADDRESS:PORT at a fixed RATE for MILLISECONDS from SOCKETS sockets, whatever
 * comes back, and prints how long answers took. dnsperf 2.10 has a mean and no percentiles.
 *
 *   paced 127.x.y.z PORT QUERIES RATE MILLISECONDS SOCKETS SAMPLE UNTIMED
 *
 * QUERIES is dnsperf's: a name and "A" on each line, asked from the top and round again, with EDNS. Of every SAMPLE-th
 * query the answer is printed too. Of the last of each UNTIMED queries no time is taken; 0: of all. An answer's time is from just before the query was given to the kernel until the kernel
 * had the answer for us (SO_TIMESTAMPNS), so that neither our waking up nor our scheduling is in it.
 *
 * Prints the octets of one sampled answer on each line with its time (ns since 1970), and at the end: sent answered p50 p99 max (ns).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#define MOST_SOCKETS 64
#define BATCH 32
#define ROOM 1500
#define IDS 65536
/* What has not come back by then is lost. */
#define LAST_MS 500

static const uint8_t TAIL[] = {0, 1, 0, 1, /* A IN */ 0, 0, 41, 1232 >> 8, 1232 & 255, 0, 0, 0, 0, 0, 0};

struct asked {
  int64_t at; /* ns, 0: nobody waits for it */
  int16_t socket;
  uint8_t sampled, untimed;
};

static struct asked waiting[IDS];
static struct pollfd sockets[MOST_SOCKETS];
static int count;
static int64_t *times;
static uint64_t sent, answered, timed;

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static char *whole(const char *path, size_t *size) {
  struct stat facts;
  FILE *file = fopen(path, "r");
  if (file == NULL || fstat(fileno(file), &facts) != 0) return NULL;
  char *text = malloc(facts.st_size + 1);
  *size = fread(text, 1, facts.st_size, file);
  text[*size] = '\0';
  fclose(file);
  return text;
}

/* Writes the query for the name at `text`; returns its length and moves `text` behind the line. */
static size_t write_query(uint8_t *out, uint16_t id, char **text) {
  const uint8_t header[12] = {id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1};
  char *at = *text;
  size_t length = sizeof header;
  memcpy(out, header, sizeof header);
  for (;;) {
    const size_t label = strcspn(at, ". \n");
    if (label == 0 || label > 63 || length + label > 300) break;
    out[length] = label;
    memcpy(out + length + 1, at, label);
    length += label + 1;
    at += label;
    if (*at != '.') break;
    at += 1;
  }
  out[length] = 0;
  memcpy(out + length + 1, TAIL, sizeof TAIL);
  at += strcspn(at, "\n");
  *text = *at == '\n' ? at + 1 : at;
  return length + 1 + sizeof TAIL;
}

static void take(int socket, const struct msghdr *header, const uint8_t *bytes, size_t length) {
  struct asked *asked = &waiting[bytes[0] << 8 | bytes[1]];
  struct timespec stamp = {0};
  if (length < 12 || asked->at == 0 || asked->socket != socket) return;
  for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part != NULL; part = CMSG_NXTHDR((struct msghdr *)header, part))
    if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_TIMESTAMPNS) memcpy(&stamp, CMSG_DATA(part), sizeof stamp);
  const int64_t at = stamp.tv_sec * 1000000000ll + stamp.tv_nsec;
  if (asked->untimed == 0) times[timed++] = at - asked->at;
  answered += 1;
  asked->at = 0;
  if (asked->sampled == 0) return;
  for (size_t i = 0; i < length; i += 1) printf("%02x", bytes[i]);
  printf(" %lld\n", (long long)at);
}

static void drain(int socket) {
  static uint8_t bytes[BATCH][ROOM];
  static uint8_t control[BATCH][64];
  struct mmsghdr messages[BATCH];
  struct iovec parts[BATCH];
  for (;;) {
    for (int i = 0; i < BATCH; i += 1) {
      parts[i] = (struct iovec){bytes[i], ROOM};
      messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1, .msg_control = control[i], .msg_controllen = sizeof control[i]};
    }
    const int n = recvmmsg(sockets[socket].fd, messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i += 1) take(socket, &messages[i].msg_hdr, bytes[i], messages[i].msg_len);
    if (n < BATCH) return;
  }
}

static void drain_all(void) {
  if (poll(sockets, count, 0) <= 0) return;
  for (int i = 0; i < count; i += 1)
    if (sockets[i].revents != 0) drain(i);
}

static int by_size(const void *a, const void *b) {
  const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

static void ask(uint64_t number, uint64_t sample, uint64_t untimed, char **text) {
  uint8_t query[400];
  const uint16_t id = number & 0xffff;
  const int socket = number % count;
  const size_t length = write_query(query, id, text);
  waiting[id] = (struct asked){now_ns(), socket, number % sample == 0, untimed > 0 && number % untimed == untimed - 1};
  if (send(sockets[socket].fd, query, length, MSG_DONTWAIT) == (ssize_t)length) sent += 1;
  else waiting[id].at = 0;
}

static void wait_until(int64_t due) {
  const struct timespec time = {due / 1000000000, due % 1000000000};
  clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &time, NULL);
}

int main(int argc, char **argv) {
  struct sockaddr_in to = {.sin_family = AF_INET};
  size_t size = 0;
  if (argc < 9 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 || (ntohl(to.sin_addr.s_addr) >> 24) != 127) {
    fprintf(stderr, "usage: paced 127.x.y.z PORT QUERIES RATE MILLISECONDS SOCKETS SAMPLE UNTIMED\n");
    return 2;
  }
  to.sin_port = htons(atoi(argv[2]));
  char *text = whole(argv[3], &size);
  const double rate = atof(argv[4]);
  const uint64_t all = rate * atof(argv[5]) / 1e3, sample = strtoull(argv[7], NULL, 10), untimed = strtoull(argv[8], NULL, 10);
  count = atoi(argv[6]) > MOST_SOCKETS ? MOST_SOCKETS : atoi(argv[6]);
  times = calloc(all + 1, sizeof *times);
  if (text == NULL || size == 0 || times == NULL || count < 1 || sample < 1) return 2;
  prctl(PR_SET_TIMERSLACK, 1);
  for (int i = 0; i < count; i += 1) {
    const int yes = 1, room = 4 << 20;
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    sockets[i] = (struct pollfd){.fd = fd, .events = POLLIN};
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof yes);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) return 1;
  }
  char *at = text;
  const int64_t began = now_ns();
  for (uint64_t n = 0; n < all; n += 1) {
    const int64_t due = began + (int64_t)(n * 1e9 / rate);
    if (due > now_ns()) {
      drain_all();
      if (due > now_ns()) wait_until(due);
    }
    if (*at == '\0') at = text;
    ask(n, sample, untimed, &at);
  }
  for (const int64_t last = now_ns() + LAST_MS * 1000000ll; answered < sent && now_ns() < last;) {
    drain_all();
    wait_until(now_ns() + 1000000);
  }
  qsort(times, timed, sizeof *times, by_size);
  const uint64_t p50 = timed / 2, p99 = timed * 99 / 100;
  printf("%llu %llu %lld %lld %lld\n", (unsigned long long)sent, (unsigned long long)answered, (long long)times[p50], (long long)times[p99],
         (long long)times[timed > 0 ? timed - 1 : 0]);
  return 0;
}
