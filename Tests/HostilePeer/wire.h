// The control protocol by hand: what `Control/Message.swift` says, written a second time and independently, so that a
// test can break any rule of it.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define MAGIC 0x52534d46u
#define VERSION 3                             // major in the low byte, minor in the high one
#define PRESENT (VERSION | 2 << 8)
#define NEWER_MINOR (VERSION | 7 << 8)
#define HEADER_SIZE 12
#define MAXIMUM_FDS 253

enum {
    HELLO = 1, WELCOME = 2, REFUSED = 3, GENERATION = 4, BUFFERS = 5, READY = 6, SLOT_RELEASED = 7, WAKE = 8,
    STATISTICS_REQUEST = 9, STATISTICS = 10, ENDED = 11, GOODBYE = 12,
    MADE_WAY = 17, PLACES = 18
};

struct message {
    unsigned char bytes[262144];
    size_t size;
    int fds[MAXIMUM_FDS];
    int fd_count;
    size_t read;                              // how far it was read
    int is_sealed;                            // the header has a size already, whatever follows
};

// Writing.
void begin_with(struct message *m, uint32_t magic, uint16_t version, uint16_t type);
void begin(struct message *m, uint16_t type);
/// What `begin` says from now on.
void speak(uint16_t version);
/// Puts the size into the header, and leaves it at that: else it is put there as the message is sent.
void seal(struct message *m, uint32_t size);
/// Begins a record, and ends it with its size.
size_t open_record(struct message *m);
void close_record(struct message *m, size_t record);
void put8(struct message *m, uint8_t value);
void put16(struct message *m, uint16_t value);
void put32(struct message *m, uint32_t value);
void put64(struct message *m, int64_t value);
void put_text(struct message *m, const char *text);
void put_random(struct message *m, size_t count);
void put_hello(struct message *m, int role, int policy, int64_t depth, int64_t budget, int reserved, int pollable);

// Reading: values of a message that is known to be well-formed.
uint64_t get(struct message *m, int bytes);
/// Leaves a record for what follows it.
void skip_record(struct message *m);
void get_text(struct message *m, char *text, size_t capacity);
uint16_t type_of(const struct message *m);

// Sockets.
int connect_to(const char *path);
int listen_at(const char *path);
int send_message(int socket, const struct message *m);       // 0, or -errno
int receive_message(int socket, struct message *m);          // 1: a message, 0: the other side hung up

/// Prints a line at once.
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/// Ends with a message where the test itself, not the tested side, is at fault.
void give_up(const char *what);
/// A number that is different each time.
uint64_t random_number(void);

int hostile_subscriber(const char *path, const char *behaviour, int count);
int move_sleepers(const char *path);
int block_sleepers(const char *path);
int try_every_call(const char *path);
int hostile_publisher(const char *path, const char *behaviour);
int write_attack(const char *path);
int escape(void);
