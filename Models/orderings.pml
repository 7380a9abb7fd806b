/* The lane's steps once more, for the memory orderings alone: one publisher, one subscriber, memory as weak as C11 lets
 * it be (memory.h). Each operation has the ordering that the code has; steps are named as in lane.pml and in the code.
 *
 * Proved, of one lane of DEPTH cells, a budget of BUDGET, SLOTS slots and FRAMES frames:
 *  - what is read under a lease was written before it was offered, and is not rewritten before the reader is done
 *  - no frame is passed over that was not withdrawn, none is taken twice, and they come in order
 *  - a correct subscriber is never mistaken for one that breaks the protocol
 *  - no wake-up is lost: the reader's on the futex (or on its socket: POLLABLE), the publisher's on the words (or the
 *    socket: EVENTS)
 *  - in the end every slot is free again
 *
 * Without EVERY_FRAME the policy is `latest` or `queue`, and the publisher must never wait.
 * Each MUTANT_... takes one ordering, fence or look away, and must fail.
 */
#ifndef DEPTH
#define DEPTH 1
#endif
#ifndef BUDGET
#define BUDGET 2
#endif
#ifndef SLOTS
#define SLOTS 3
#endif
#ifndef FRAMES
#define FRAMES 3
#endif
#ifndef HISTORY
#define HISTORY 12
#endif

/* The words; the cells come first. */
#define OFFERED (DEPTH)
#define WAKE (DEPTH + 1)
#define ASLEEP (DEPTH + 2)
#define RELEASED (DEPTH + 3)
#define SHORTAGE (DEPTH + 4)
#define RELEASE_WAKE (DEPTH + 5)
#define STATE (DEPTH + 6)
#define WORDS (DEPTH + 7)

#include "memory.h"

/* The orderings that a mutant changes; the others stand in the steps. */
#ifdef MUTANT_OFFERED
#define ORDER_OFFERED RELAXED
#else
#define ORDER_OFFERED RELEASING
#endif
#ifdef MUTANT_LOOK
#define ORDER_LOOK RELAXED
#else
#define ORDER_LOOK ACQUIRING
#endif
#ifdef MUTANT_COLLECT
#define ORDER_COLLECT RELAXED
#else
#define ORDER_COLLECT ACQUIRING
#endif
#ifdef MUTANT_RELEASE
#define ORDER_RELEASE RELAXED
#else
#ifdef MUTANT_RELEASE_SC
#define ORDER_RELEASE ACQUIRING_AND_RELEASING
#else
#define ORDER_RELEASE SEQUENTIALLY_CONSISTENT
#endif
#endif
#ifdef MUTANT_SHORTAGE
#define ORDER_SHORTAGE ACQUIRING
#else
#define ORDER_SHORTAGE SEQUENTIALLY_CONSISTENT
#endif

#define PUBLISHER 0
#define SUBSCRIBER 1
#define TICKET(offer, slot) ((offer) * SLOTS + (slot) + 1)
#define OFFER_OF(ticket) (((ticket) - 1) / SLOTS)
#define SLOT_OF(ticket) (((ticket) - 1) % SLOTS)
#define BIT(s) (1 << (s))

/* What the kernel knows: who sleeps on a futex, whose socket has something to read, who has hung up. */
bool readerSleeps, publisherSleeps, toReader, toPublisher, dead, finished;
/* Ghosts: the offers that were withdrawn, a bit each; how many the subscriber has looked at. */
byte takenBack, took;

inline COLLECT() {
    LOAD(PUBLISHER, RELEASED, RELAXED, bits);
    if
    :: bits != 0 ->
        MODIFY(PUBLISHER, RELEASED, ORDER_COLLECT, bits, 0);
        s = 0;
        do
        :: s < SLOTS ->
            if
            :: (bits & BIT(s)) && outstanding[s] ->
                if
                :: cellOf[s] != 0 ->
                    c = cellOf[s] - 1;
                    LOAD(PUBLISHER, c, RELAXED, old);
                    assert(old == 0);            /* else: released without taking, a violation */
                    expected[c] = 0
                :: else
                fi;
                outstanding[s] = false; count--; cellOf[s] = 0
            :: else
            fi;
            s++
        :: else -> break
        od;
        s = 0; c = 0; old = 0
    :: else
    fi;
    bits = 0
}

inline WITHDRAW() {
    withdrawn = false;
    n = (offers > DEPTH -> offers - DEPTH : 0);
    do
    :: n < offers && !withdrawn ->
        c = n % DEPTH;
        if
        :: expected[c] != 0 ->
            atomic {
                COMPARE_EXCHANGE(PUBLISHER, c, ACQUIRING_AND_RELEASING, expected[c], 0, withdrawn);
                s = SLOT_OF(expected[c]);
                if
                :: withdrawn -> outstanding[s] = false; count--; takenBack = takenBack | BIT(OFFER_OF(expected[c]))
                :: else
                fi;
                expected[c] = 0; cellOf[s] = 0; s = 0
            }
        :: else
        fi;
        n++
    :: else -> break
    od;
    n = 0; c = 0
}

inline OFFER() {
    atomic {
        c = offers % DEPTH;
        MODIFY(PUBLISHER, c, ACQUIRING_AND_RELEASING, old, TICKET(offers, slot));
        assert(old == 0 || old == expected[c]);  /* else: a foreign ticket, a violation */
        if
        :: expected[c] != 0 ->
            s = SLOT_OF(expected[c]);
            cellOf[s] = 0;
            if
            :: old != 0 -> outstanding[s] = false; count--; takenBack = takenBack | BIT(OFFER_OF(old))
            :: else
            fi;
#ifdef EVERY_FRAME
            assert(old == 0);                    /* nobody who wants every frame loses one */
#endif
            s = 0
        :: else
        fi;
        expected[c] = TICKET(offers, slot);
        outstanding[slot] = true; count++; cellOf[slot] = c + 1;
        offers++; c = 0; old = 0
    };
    STORE(PUBLISHER, OFFERED, ORDER_OFFERED, offers)
}

inline FIND_FREE() {
    d_step {
        slot = 0;
        do :: slot < SLOTS && outstanding[slot] -> slot++ :: else -> break od
    }
}

/* A hang-up comes through the kernel: all that the dead one did is known, and what it held is free. */
inline REAP() {
    if
    :: dead && !gone ->
        SYSTEM_CALL(PUBLISHER);
        d_step {
            gone = true; count = 0; s = 0;
            do :: s < SLOTS -> outstanding[s] = false; s++ :: else -> break od;
            s = 0
        }
    :: else
    fi
}

inline HAS_ROOM() {
#ifdef MAY_DIE_ANYWHERE
    REAP();
#endif
    if :: !gone -> COLLECT() :: else fi;
    FIND_FREE();
#ifdef EVERY_FRAME
    room = slot < SLOTS && (gone || count < BUDGET)
#else
    room = slot < SLOTS
#endif
}

proctype Publisher() {
    byte frame, slot, s, c, n, at, bits, old, value, seen, answered, offers, count;
    byte expected[DEPTH], cellOf[SLOTS];
    bool outstanding[SLOTS], withdrawn, room, gone;
    do
    :: frame < FRAMES ->
        HAS_ROOM();
        if
        :: room
        :: else ->
#ifndef EVERY_FRAME
            assert(false);       /* a camera never waits for a reader */
#endif
            /* SLEEP: the publisher's. Announce, note the words, fence, look again, sleep unless a word has changed. */
            MODIFY(PUBLISHER, SHORTAGE, SEQUENTIALLY_CONSISTENT, old, 1);
            old = 0;
            do
            :: room -> break
            :: else ->
#ifndef MUTANT_NOTED_LATE
                LOAD(PUBLISHER, RELEASE_WAKE, ACQUIRING, seen);
#endif
#ifndef MUTANT_SHORTAGE_FENCE
                FENCE(PUBLISHER);
#endif
                HAS_ROOM();
#ifdef MUTANT_NOTED_LATE
                LOAD(PUBLISHER, RELEASE_WAKE, ACQUIRING, seen);
#endif
                if
                :: room
                :: else ->
#ifdef EVENTS
                    atomic { (toPublisher || (dead && !gone)); toPublisher = false; SYSTEM_CALL(PUBLISHER) };
                    HAS_ROOM()
#else
                    atomic {     /* futex_waitv; a hang-up changes a word of the publisher's own */
                        SYSTEM_CALL(PUBLISHER);
                        LOAD(PUBLISHER, RELEASE_WAKE, RELAXED, value);
                        if
                        :: value == seen && !(dead && !gone) -> publisherSleeps = true
                        :: else
                        fi;
                        value = 0; seen = 0
                    };
                    atomic { !publisherSleeps; SYSTEM_CALL(PUBLISHER) };
                    HAS_ROOM()
#endif
                fi
            od;
            seen = 0;
#ifdef EVENTS
            MODIFY(PUBLISHER, SHORTAGE, RELAXED, old, 0);
#else
            MODIFY(PUBLISHER, SHORTAGE, SEQUENTIALLY_CONSISTENT, old, 0);
#endif
            old = 0
        fi;
        /* FILL: the pixels, and the frame's record. */
        WRITE_SLOT(PUBLISHER, slot, frame);
        if
        :: !gone ->
            COLLECT();
            if
            :: count >= BUDGET -> WITHDRAW()
            :: else
            fi;
            if
            :: count < BUDGET -> OFFER()
            :: else              /* its whole budget is leased: this frame is its loss */
            fi
        :: else
        fi;
        slot = 0; withdrawn = false; room = false;
        /* ANNOUNCE: who sleeps? Its word is bumped after the look. */
#ifndef MUTANT_PUBLISH_FENCE
        FENCE(PUBLISHER);
#endif
        LOAD(PUBLISHER, ASLEEP, RELAXED, value);
#ifdef POLLABLE
        if                       /* each arming is answered once */
        :: value != 0 && value != answered ->
            atomic { SYSTEM_CALL(PUBLISHER); toReader = true; answered = value }
        :: else
        fi;
#else
        if
        :: value != 0 ->
#ifndef MUTANT_NO_BUMP
            MODIFY(PUBLISHER, WAKE, ACQUIRING_AND_RELEASING, old, old + 1);
            old = 0;
#endif
            /* WAKE: */
            atomic { SYSTEM_CALL(PUBLISHER); readerSleeps = false }                  /* FUTEX_WAKE */
        :: else
        fi;
#endif
        value = 0;
        frame++
    :: else -> break
    od;
    /* The end of the channel wakes everyone, asleep or not. */
    STORE(PUBLISHER, STATE, RELEASING, 1);
    MODIFY(PUBLISHER, WAKE, ACQUIRING_AND_RELEASING, old, old + 1);
    atomic { SYSTEM_CALL(PUBLISHER); readerSleeps = false; toReader = true };
    old = 0;
    /* All leases end sometime; then all slots are free. */
    atomic { finished; SYSTEM_CALL(PUBLISHER) };
    REAP();
    if
    :: !gone ->
        COLLECT();
        do :: WITHDRAW(); if :: !withdrawn -> break :: else fi od;
        assert(count == 0);
        /* It was there to the end, so it has had the last frame that it was offered. */
        assert(offers == took)
    :: else
    fi
}

#ifdef MAY_DIE_ANYWHERE
#define MAY_DIE if :: true -> skip :: true -> goto died fi
#else
#define MAY_DIE skip
#endif

inline RELEASE(it) {
    MODIFY(SUBSCRIBER, RELEASED, ORDER_RELEASE, value, value | BIT(it));
    MAY_DIE;
    LOAD(SUBSCRIBER, SHORTAGE, ORDER_SHORTAGE, value);
    if
    :: value != 0 ->
#ifdef EVENTS
        atomic { SYSTEM_CALL(SUBSCRIBER); toPublisher = true }
#else
        MODIFY(SUBSCRIBER, RELEASE_WAKE, SEQUENTIALLY_CONSISTENT, value, value + 1);
        MAY_DIE;
        atomic { SYSTEM_CALL(SUBSCRIBER); publisherSleeps = false }
#endif
    :: else
    fi;
    value = 0
}

/* No frame is passed over but one that was withdrawn. */
#define PASS_OVER d_step { assert(takenBack & BIT(next)); next++ }

/* TAKE: `got` and `slot`. */
inline TAKE() {
    got = false;
    do
    :: got -> break
    :: else ->
        LOAD(SUBSCRIBER, OFFERED, ORDER_LOOK, offered);
        if
        :: offered == next -> break
        :: offered != next && offered - next > DEPTH ->
            do :: next < offered - DEPTH -> PASS_OVER :: else -> break od
        :: else ->
            c = next % DEPTH;
            LOAD(SUBSCRIBER, c, RELAXED, value);
            MAY_DIE;
            if
            :: value != 0 && OFFER_OF(value) == next ->
                atomic {
                    COMPARE_EXCHANGE(SUBSCRIBER, c, ACQUIRING, value, 0, got);
                    if
                    :: got ->
                        slot = SLOT_OF(value);
                        READ_SLOT(SUBSCRIBER, slot, value);
                        assert(value + 1 > last);        /* in order, and never twice */
                        last = value + 1;
                        next++
                    :: else -> PASS_OVER
                    fi;
                    value = 0
                }
            :: else -> PASS_OVER; value = 0
            fi;
            c = 0
        fi
    od;
    offered = 0
}

proctype Subscriber() {
    byte next, offered, slot, c, at, value, seen, armed, last, kept = SLOTS;
    bool got, over;
again:
    TAKE();
    MAY_DIE;
    if
    :: got && kept == SLOTS -> kept = slot       /* work on it, and take the next meanwhile */
    :: got -> RELEASE(slot)
    :: got && kept != SLOTS -> RELEASE(kept); kept = slot
    :: !got && kept != SLOTS -> RELEASE(kept); kept = SLOTS
    :: !got && kept == SLOTS -> goto sleep
    fi;
    slot = 0; got = false;
    goto again;
sleep:
    /* SLEEP: announce, fence, look again, sleep; the kernel compares the word once more. */
#ifdef POLLABLE
    armed++;
    STORE(SUBSCRIBER, ASLEEP, RELAXED, armed);
#else
#ifndef MUTANT_SEEN_LATE
    LOAD(SUBSCRIBER, WAKE, ACQUIRING, seen);
#endif
    STORE(SUBSCRIBER, ASLEEP, RELAXED, 1);
#endif
#ifndef MUTANT_SLEEP_FENCE
    FENCE(SUBSCRIBER);
#endif
    MAY_DIE;
    TAKE();
    if
    :: !got ->
        LOAD(SUBSCRIBER, STATE, ACQUIRING, value);
        over = value != 0;
        value = 0;
        /* What was offered between the look at the lane and the end that was just heard of. */
        if :: over -> TAKE() :: else fi
    :: else
    fi;
    if
    :: got || over
    :: else ->
#ifdef POLLABLE
        atomic { toReader; toReader = false; SYSTEM_CALL(SUBSCRIBER) }
#else
#ifdef MUTANT_SEEN_LATE
        LOAD(SUBSCRIBER, WAKE, ACQUIRING, seen);
#endif
        atomic {                 /* FUTEX_WAIT */
            SYSTEM_CALL(SUBSCRIBER);
            LOAD(SUBSCRIBER, WAKE, RELAXED, value);
            if :: value == seen -> readerSleeps = true :: else fi;
            value = 0; seen = 0
        };
        atomic { !readerSleeps; SYSTEM_CALL(SUBSCRIBER) }
#endif
    fi;
#ifndef POLLABLE
    seen = 0;
    STORE(SUBSCRIBER, ASLEEP, RELAXED, 0);
#endif
    MAY_DIE;
    if
    :: got -> kept = slot; slot = 0; got = false; goto again
    :: !got && over -> goto end
    :: else -> goto again
    fi;
died:
    atomic { SYSTEM_CALL(SUBSCRIBER); dead = true; finished = true; publisherSleeps = false };
    goto out;
end:
    atomic { SYSTEM_CALL(SUBSCRIBER); took = next; finished = true };
out:
    skip
}

init { atomic { run Publisher(); run Subscriber() } }
