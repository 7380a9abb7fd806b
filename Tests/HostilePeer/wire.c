#define _GNU_SOURCE
#include "wire.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void put8(struct message *m, uint8_t value) { m->bytes[m->size++] = value; }
void put16(struct message *m, uint16_t value) { for (int i = 0; i < 2; i++) put8(m, (uint8_t)(value >> (8 * i))); }
void put32(struct message *m, uint32_t value) { for (int i = 0; i < 4; i++) put8(m, (uint8_t)(value >> (8 * i))); }
void put64(struct message *m, int64_t value) {
    for (int i = 0; i < 8; i++) put8(m, (uint8_t)((uint64_t)value >> (8 * i)));
}

void put_text(struct message *m, const char *text) {
    put16(m, (uint16_t)strlen(text));
    for (; *text; text++) put8(m, (uint8_t)*text);
}

void put_random(struct message *m, size_t count) { while (count--) put8(m, (uint8_t)random_number()); }

void begin_with(struct message *m, uint32_t magic, uint16_t version, uint16_t type) {
    m->size = 0;
    m->fd_count = 0;
    m->is_sealed = 0;
    put32(m, magic);
    put16(m, version);
    put16(m, type);
    put32(m, 0);                              // the size of what follows
}

static uint16_t spoken = PRESENT;
void speak(uint16_t version) { spoken = version; }

void begin(struct message *m, uint16_t type) { begin_with(m, MAGIC, spoken, type); }

static void write32(unsigned char *bytes, uint32_t value) { for (int i = 0; i < 4; i++) bytes[i] = (unsigned char)(value >> (8 * i)); }

void seal(struct message *m, uint32_t size) {
    write32(m->bytes + 8, size);
    m->is_sealed = 1;
}

size_t open_record(struct message *m) {
    put32(m, 0);
    return m->size;
}

void close_record(struct message *m, size_t record) { write32(m->bytes + record - 4, (uint32_t)(m->size - record)); }

void put_hello(struct message *m, int role, int policy, int64_t depth, int64_t budget, int reserved, int pollable) {
    put8(m, (uint8_t)role);
    put_text(m, "hostile");
    put8(m, (uint8_t)policy);
    put64(m, depth);
    put64(m, budget);
    put8(m, (uint8_t)reserved);
    put8(m, (uint8_t)pollable);
    put_text(m, "");                          // in no group
    put16(m, 0);                              // no stream named: all of them
}

uint64_t get(struct message *m, int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) value |= (uint64_t)m->bytes[m->read++] << (8 * i);
    return value;
}

void skip_record(struct message *m) {
    size_t size = get(m, 4);
    m->read += size;
}

void get_text(struct message *m, char *text, size_t capacity) {
    size_t size = get(m, 2), kept = size < capacity - 1 ? size : capacity - 1;
    memcpy(text, m->bytes + m->read, kept);
    text[kept] = 0;
    m->read += size;
}

uint16_t type_of(const struct message *m) { return m->size < 8 ? 0 : (uint16_t)(m->bytes[6] | m->bytes[7] << 8); }

static int seqpacket(const char *path, struct sockaddr_un *address) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof address->sun_path) give_up("the socket's path is too long");
    strcpy(address->sun_path, path);
    int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (s < 0) give_up("socket");
    return s;
}

int connect_to(const char *path) {
    struct sockaddr_un address;
    int s = seqpacket(path, &address);
    if (connect(s, (struct sockaddr *)&address, sizeof address) < 0) {
        close(s);
        return -errno;
    }
    return s;
}

int listen_at(const char *path) {
    struct sockaddr_un address;
    int s = seqpacket(path, &address);
    if (bind(s, (struct sockaddr *)&address, sizeof address) < 0 || listen(s, 16) < 0) give_up("listen");
    return s;
}

int send_message(int socket, const struct message *m) {
    union { struct cmsghdr align; char room[CMSG_SPACE(sizeof(int) * MAXIMUM_FDS)]; } control;
    struct iovec part = { (void *)m->bytes, m->size };
    if (!m->is_sealed && m->size >= HEADER_SIZE) write32((unsigned char *)m->bytes + 8, (uint32_t)(m->size - HEADER_SIZE));
    struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
    if (m->fd_count > 0) {
        memset(&control, 0, sizeof control);
        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)m->fd_count);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)m->fd_count);
        memcpy(CMSG_DATA(rights), m->fds, sizeof(int) * (size_t)m->fd_count);
    }
    return sendmsg(socket, &header, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int receive_message(int socket, struct message *m) {
    union { struct cmsghdr align; char room[CMSG_SPACE(sizeof(int) * MAXIMUM_FDS)]; } control;
    struct iovec part = { m->bytes, sizeof m->bytes };
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    m->size = m->read = 0;
    m->fd_count = 0;
    ssize_t size = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    // The kernel tells a reset, once, before what was said last.
    if (size < 0 && errno == ECONNRESET) size = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    if (size <= 0) return 0;
    m->size = (size_t)size;
    m->read = HEADER_SIZE;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        m->fd_count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(m->fds, CMSG_DATA(c), sizeof(int) * (size_t)m->fd_count);
    }
    return 1;
}

void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

void give_up(const char *what) {
    say("broken-test %s: %s", what, strerror(errno));
    exit(90);
}

uint64_t random_number(void) {
    static uint64_t state = 0x9e3779b97f4a7c15u;  // xorshift64*: the same each run
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1du;
}
