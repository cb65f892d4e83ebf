/*
 * Runs inside a client: `flood ADDRESS PORT QUESTION SOURCES FROM TO SECONDS`. Sends one and the same question (hexadecimal) from every
 * address of SOURCES (a,b,c), FROM a second at the start and TO at the end, whatever comes back. Prints `warm` when it begins and at the
 * end one record: what was sent and answered in each second.
 *
 * Many datagrams go to the kernel as one (UDP_SEGMENT) and are taken apart where they arrive. A generator that shares the processors with
 * what it floods, and with all routers between, must cost less than an answer does.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
/* What the kernel takes apart at most. */
#define SEGMENTS 64
#define MOST_SOURCES 64
#define MOST_QUESTION 512
#define BATCH 64
/* The flood is bounded, whoever asks for what. */
#define MOST_SECONDS 120
#define MOST_RATE 2000000.0
/* A generator that was away does not make up for more than this: what it could not send is not sent. */
#define CATCH_UP 0.02
#define TICK_NS 500000

static int sockets[MOST_SOURCES];
static int count;
static double sent[MOST_SECONDS + 2], answered[MOST_SECONDS + 2];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static int opened(const char *from, const struct sockaddr_in *to, int segment) {
  struct sockaddr_in own = {.sin_family = AF_INET};
  const int buffer = 4 << 20;
  const int s = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  if (s < 0 || inet_pton(AF_INET, from, &own.sin_addr) != 1) return -1;
  setsockopt(s, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  if (bind(s, (struct sockaddr *)&own, sizeof own) != 0) return -1;
  if (connect(s, (const struct sockaddr *)to, sizeof *to) != 0) return -1;
  return setsockopt(s, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment) == 0 ? s : -1;
}

/* Counts and forgets whatever has come back. */
static int drained(void) {
  static char bytes[BATCH][64];
  static struct iovec parts[BATCH];
  static struct mmsghdr messages[BATCH];
  int all = 0;
  for (int i = 0; i < BATCH; i += 1) {
    parts[i] = (struct iovec){bytes[i], sizeof bytes[i]};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
  }
  for (int i = 0; i < count; i += 1)
    for (int n = BATCH; n == BATCH;) {
      n = recvmmsg(sockets[i], messages, BATCH, MSG_DONTWAIT, NULL);
      all += n > 0 ? n : 0;
    }
  return all;
}

static void print(const char *name, const double *counts, int seconds) {
  printf("\"%s\":[", name);
  for (int i = 0; i < seconds; i += 1) printf(i == 0 ? "%.0f" : ",%.0f", counts[i]);
  printf("]");
}

int main(int argc, char **argv) {
  static char questions[SEGMENTS * MOST_QUESTION];
  struct sockaddr_in to = {.sin_family = AF_INET};
  if (argc != 8 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 || strlen(argv[3]) > 2 * MOST_QUESTION) {
    fprintf(stderr, "usage: flood ADDRESS PORT QUESTION SOURCES FROM TO SECONDS\n");
    return 2;
  }
  to.sin_port = htons(atoi(argv[2]));
  const int size = strlen(argv[3]) / 2;
  for (int i = 0; i < size * SEGMENTS; i += 1) {
    unsigned octet = 0;
    sscanf(argv[3] + 2 * (i % size), "%2x", &octet);
    questions[i] = (char)octet;
  }
  for (char *from = strtok(argv[4], ","); from != NULL && count < MOST_SOURCES; from = strtok(NULL, ",")) {
    sockets[count] = opened(from, &to, size);
    if (sockets[count] < 0) return perror(from), 1;
    count += 1;
  }
  const double first = atof(argv[5]), last = atof(argv[6]);
  const double length = atof(argv[7]) > MOST_SECONDS ? MOST_SECONDS : atof(argv[7]);
  const struct timespec tick = {.tv_nsec = TICK_NS};
  printf("warm\n");
  fflush(stdout);
  const double began = now();
  double due = 0, before = began;
  int turn = 0;
  for (double t = began; t - began < length; t = now()) {
    const double rate = first + (last - first) * (t - began) / length;
    const double passed = t - before > CATCH_UP ? CATCH_UP : t - before;
    before = t;
    due += passed * (rate > MOST_RATE ? MOST_RATE : rate);
    for (; due >= SEGMENTS; due -= SEGMENTS) {
      const long n = send(sockets[turn++ % count], questions, size * SEGMENTS, 0);
      if (n > 0) sent[(int)(now() - began)] += (double)n / size;
    }
    answered[(int)(t - began)] += drained();
    nanosleep(&tick, NULL);
  }
  const int seconds = (int)length;
  printf("{");
  print("sent", sent, seconds);
  printf(",");
  print("answered", answered, seconds);
  printf("}\n");
  return 0;
}
