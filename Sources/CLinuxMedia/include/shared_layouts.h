// The memory that publisher and subscriber share, byte for byte. Little-endian, 64-bit.
//
// Four kinds of mapping:
//  - channel page: one per publisher, written by the publisher alone (F_SEAL_FUTURE_WRITE), read by everyone
//  - wake page:    one per user that subscribes, written by the publisher alone, read by that user's processes
//  - frame table:  one per generation, written by the publisher alone, read by everyone
//  - lane:         one per subscriber and generation, written by both sides
//
// A word that a thread sleeps on is never in memory that two users can map, not even for reading: who can read a word
// can wake its sleepers and move them to another word (futex(2): FUTEX_WAKE, FUTEX_REQUEUE).
//
// How the pages grow (CONTRIBUTING.md, "How the protocol may change"): a page begins with `struct fs_page_header`. Within a
// major version no word moves or changes its meaning. A word that a newer minor adds takes a reserved word, or makes the page
// longer. Reserved words are 0, which is the default of whatever takes them. A reader maps the part that it knows, and
// accepts longer pages. The lane has no header, since its first line is looked at for each frame: the control message
// `generation` has its size, and those of the frame table's parts.
//
// Plain integers with explicit padding: Swift imports neither _Atomic fields nor aligned structs. The Swift side lays
// Atomic<> over the words at the offsets given here; every such word is naturally aligned.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Bytes of a cache line: of x86-64, of a Raspberry Pi's cores, and of nearly all Arm cores. It is part of the layout, the
// same on every machine. Where lines are longer, neighbours slow each other down, and nothing else changes.
#define FS_CACHE_LINE 64
#define FS_MAX_SLOTS 1024                     // a bit each in the released set
#define FS_SLOT_WORDS (FS_MAX_SLOTS / 64)
#define FS_MAX_DEPTH 1024                     // cells of a lane
#define FS_MAX_STREAMS 8
#define FS_MAX_PLANES 4
#define FS_MAX_BYTES_USED (FS_MAX_STREAMS * FS_MAX_PLANES)

struct fs_page_header {
    uint32_t magic;
    uint8_t major;                            // of the protocol, as in the header of a control message
    uint8_t minor;
    uint16_t size;                            // bytes of this page; of a frame table, where its records begin
};
_Static_assert(sizeof(struct fs_page_header) == 8, "page header");

// --- channel page -------------------------------------------------------------------------------------------------

#define FS_CHANNEL_PAGE_MAGIC 0x47504346u     // "FCPG"

struct fs_channel_page {
    struct fs_page_header header;
    uint64_t reserved0[7];
    // Line 1: what a releasing subscriber reads.
    uint32_t shortage;                        // atomic; FS_SHORT_* bits: how the publisher wants to hear of releases
    uint32_t pad1[15];
    // Line 2: state.
    uint32_t generation;                      // atomic; the generation offered now
    uint32_t state;                           // atomic; FS_CHANNEL_*
    uint64_t published;                       // atomic; frames published so far
    uint64_t lost_source;                     // atomic; frames the source lost by itself
    uint64_t lost_no_slot;                    // atomic; frames lost since no slot was free
    uint64_t damaged;                         // atomic; frames published whose data is damaged
    uint32_t notices;                         // atomic; bumped when subscribers were sent something to read, since 3.2
    uint32_t pad2[5];
};
#define FS_SHORT_FUTEX 1u                     // a thread waits on the lanes' `release_wake` words
#define FS_SHORT_SOCKET 2u                    // an event loop waits: send FS message `slotReleased`
#define FS_CHANNEL_OPEN 0u
#define FS_CHANNEL_ENDED 1u                   // the publisher closed the channel in order
#define FS_CHANNEL_FAILED 2u                  // the source failed; the reason comes by the control socket

_Static_assert(sizeof(struct fs_channel_page) == 3 * FS_CACHE_LINE, "channel page");
_Static_assert(offsetof(struct fs_channel_page, shortage) == 1 * FS_CACHE_LINE, "own cache line");
_Static_assert(offsetof(struct fs_channel_page, generation) == 2 * FS_CACHE_LINE, "own cache line");

// --- wake page ----------------------------------------------------------------------------------------------------

#define FS_WAKE_PAGE_MAGIC 0x50574346u        // "FCWP"

struct fs_wake_page {
    struct fs_page_header header;
    // What the user's sleeping readers wait on. Bumped when a frame is offered and one of them sleeps, and at every
    // change of the channel's state.
    uint32_t wake;                            // atomic; futex word
    uint32_t pad[13];
};
_Static_assert(sizeof(struct fs_wake_page) == FS_CACHE_LINE, "wake page");
_Static_assert(offsetof(struct fs_wake_page, wake) == 8, "wake word");

// --- lane ---------------------------------------------------------------------------------------------------------

struct fs_lane {
    // Lines 0 to 2: written by the subscriber, but for the publisher's clearing of `released`. What the publisher looks at
    // for each frame is in line 0, for pools of up to 384 slots.
    uint32_t asleep_futex;                    // atomic; 1 while asleep on its user's wake page
    uint32_t asleep_socket;                   // atomic; a number that is new at each arming, 0 = not armed
    uint32_t release_wake;                    // atomic; futex word the publisher sleeps on when short
    uint32_t pad0;
    uint64_t released[FS_SLOT_WORDS];         // atomic; slots given back, a bit each
    // What the subscriber says of itself, for `top`. A claim, nothing more.
    uint64_t taken;                           // atomic; frames taken
    uint64_t latency_p50;                     // atomic; ns from publish to take, over the last seconds
    uint64_t latency_p99;                     // atomic; ns
    uint64_t latency_max;                     // atomic; ns
    uint64_t pad1[2];
    // Line 3: written by the publisher, now and then.
    uint64_t dropped_policy;                  // atomic; withdrawn since a newer frame took the place
    uint64_t dropped_budget;                  // atomic; not offered: its whole budget is held, or queued for every frame
    uint64_t dropped_shortage;                // atomic; withdrawn or not offered: slots ran short
    uint32_t revoked;                         // atomic; 1: all that was leased here was taken back, and may be rewritten
    uint32_t pad2[1];
    uint64_t passed_over;                     // atomic; not offered: it asked for so many frames a second
    uint64_t pad3[3];
    // Line 4: what is exchanged for each frame, in one line for up to 7 cells.
    uint64_t offered;                         // atomic; offers made so far, written by the publisher
    // Then `depth` cells, each an atomic ticket: 0 = empty, else offer number << 16 | slot + 1.
};
_Static_assert(offsetof(struct fs_lane, released) == 16, "line 0");
_Static_assert(offsetof(struct fs_lane, taken) == 144, "line 2");
_Static_assert(offsetof(struct fs_lane, dropped_policy) == 3 * FS_CACHE_LINE, "own cache line");
_Static_assert(offsetof(struct fs_lane, revoked) == 216, "line 3");
_Static_assert(offsetof(struct fs_lane, passed_over) == 224, "line 3");
_Static_assert(offsetof(struct fs_lane, offered) == 4 * FS_CACHE_LINE, "own cache line");
_Static_assert(sizeof(struct fs_lane) == 264, "the cells follow");

// --- frame table --------------------------------------------------------------------------------------------------

#define FS_FRAME_TABLE_MAGIC 0x54465346u      // "FSFT"

struct fs_frame_table {
    struct fs_page_header header;
    uint32_t generation;
    uint32_t slots;
    uint32_t record_stride;                   // bytes from one record to the next
    uint32_t metadata_capacity;               // bytes after each record for its metadata
    uint64_t reserved[5];
    // Then `slots` records.
};
_Static_assert(sizeof(struct fs_frame_table) == FS_CACHE_LINE, "frame table header");

struct fs_frame_record {
    uint64_t number;                          // counts published frames from 1
    uint64_t sequence;                        // the source's own count
    int64_t timestamp;                        // capture time, ns
    int64_t publish_timestamp;                // CLOCK_MONOTONIC, ns
    uint64_t lost_source;                     // as in the channel page, when this was published
    uint64_t lost_no_slot;
    uint32_t clock;                           // of `timestamp`: FrameClock
    uint32_t flags;                           // FrameFlags
    uint32_t metadata_size;
    uint32_t bytes_used_valid;                // 0: every plane is full
    uint32_t bytes_used[FS_MAX_BYTES_USED];   // stream * FS_MAX_PLANES + plane
    // Then the metadata.
};
_Static_assert(sizeof(struct fs_frame_record) == 64 + 4 * FS_MAX_BYTES_USED, "frame record");
