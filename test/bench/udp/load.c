/*
 * The other side of `npm run bench -- udp`: keeps WINDOW datagrams of SIZE octets under way to ADDRESS:PORT from SOCKETS
 * sockets for MILLISECONDS, and prints how many were sent and how many came back. Loopback addresses only.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 64
#define MOST_SOCKETS 64
/* What has not come back by then is lost: the window opens again, so that one loss does not end the run. */
#define LOST_MS 50

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

int main(int argc, char **argv) {
  static char bytes[BATCH][65536];
  static struct mmsghdr messages[BATCH];
  static struct iovec parts[BATCH];
  struct pollfd sockets[MOST_SOCKETS];
  int waiting[MOST_SOCKETS] = {0};
  double heard[MOST_SOCKETS];
  struct sockaddr_in to = {.sin_family = AF_INET};
  uint64_t sent = 0, received = 0;
  if (argc < 7 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 || (ntohl(to.sin_addr.s_addr) >> 24) != 127) {
    fprintf(stderr, "usage: load 127.x.y.z PORT SIZE SOCKETS WINDOW MILLISECONDS\n");
    return 2;
  }
  to.sin_port = htons(atoi(argv[2]));
  const size_t size = atoi(argv[3]);
  const int count = atoi(argv[4]) > MOST_SOCKETS ? MOST_SOCKETS : atoi(argv[4]);
  const int window = atoi(argv[5]);
  const double until = now_ms() + atof(argv[6]);
  const double began = now_ms();
  for (int i = 0; i < count; i += 1) {
    sockets[i] = (struct pollfd){.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), .events = POLLIN};
    if (connect(sockets[i].fd, (struct sockaddr *)&to, sizeof to) != 0) return 1;
    heard[i] = began;
  }
  for (int i = 0; i < BATCH; i += 1) messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
  for (double now = began; now < until; now = now_ms()) {
    for (int s = 0; s < count; s += 1) {
      if (waiting[s] > 0 && now - heard[s] > LOST_MS) waiting[s] = 0;
      while (waiting[s] < window) {
        const int some = window - waiting[s] < BATCH ? window - waiting[s] : BATCH;
        for (int i = 0; i < some; i += 1) parts[i] = (struct iovec){bytes[i], size};
        const int n = sendmmsg(sockets[s].fd, messages, some, 0);
        if (n <= 0) break;
        if (waiting[s] == 0) heard[s] = now;
        waiting[s] += n;
        sent += n;
      }
    }
    poll(sockets, count, 5);
    for (int s = 0; s < count; s += 1) {
      if ((sockets[s].revents & POLLIN) == 0) continue;
      for (int i = 0; i < BATCH; i += 1) parts[i] = (struct iovec){bytes[i], sizeof bytes[i]};
      const int n = recvmmsg(sockets[s].fd, messages, BATCH, MSG_DONTWAIT, NULL);
      if (n <= 0) continue;
      received += n;
      waiting[s] = waiting[s] > n ? waiting[s] - n : 0;
      heard[s] = now_ms();
    }
  }
  printf("%llu %llu %.1f\n", (unsigned long long)sent, (unsigned long long)received, now_ms() - began);
  return 0;
}
