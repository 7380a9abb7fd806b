/* A lease that the publisher takes back while its frame may still be read, in memory as weak as C11 lets it be
 * (memory.h).
 *
 * Proved: a reader that finds its lease still valid after it has read, read what was leased to it. Pixels are words
 * here that are read and written without any order. The mutants take a fence away on either side, and must fail.
 */
#define PIXEL_A 0
#define PIXEL_B 1
#define REVOKED 2
#define WORDS 3
#define SLOTS 1
#define HISTORY 2

#include "memory.h"

#define PUBLISHER 0
#define SUBSCRIBER 1

/* REVOKE: before the slot is anybody else's. */
proctype Publisher() {
    byte at;
    STORE(PUBLISHER, REVOKED, SEQUENTIALLY_CONSISTENT, 1);
#ifndef MUTANT_REVOKE_FENCE
    FENCE(PUBLISHER);
#endif
    STORE(PUBLISHER, PIXEL_A, RELAXED, 1);
    STORE(PUBLISHER, PIXEL_B, RELAXED, 1)
}

proctype Subscriber() {
    byte at, a, b, revoked;
    if
    :: LOAD(SUBSCRIBER, PIXEL_A, RELAXED, a); LOAD(SUBSCRIBER, PIXEL_B, RELAXED, b)
    :: LOAD(SUBSCRIBER, PIXEL_B, RELAXED, b); LOAD(SUBSCRIBER, PIXEL_A, RELAXED, a)
    fi;
#ifndef MUTANT_VALID_FENCE
    ACQUIRING_FENCE(SUBSCRIBER);
#endif
    LOAD(SUBSCRIBER, REVOKED, ACQUIRING, revoked);
    assert(revoked || (a == 0 && b == 0))
}

init { atomic { run Publisher(); run Subscriber() } }
