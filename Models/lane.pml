/* The lane between a publisher and its subscribers: offer, take, withdraw, release, and both sleeps.
 *
 * One publisher, SUBSCRIBERS subscribers with a lane of DEPTH cells and a budget of BUDGET slots each, SLOTS slots,
 * FRAMES frames. A subscriber may die at any of its steps. Memory is sequentially consistent here: the orderings are
 * orderings.pml's. Step names are those of Sources/LeaseProtocol and Sources/FrameShare.
 *
 * Proved (assertions and absence of deadlock):
 *  - no slot is rewritten under a lease, and none is read before it was written
 *  - no frame is taken twice by a subscriber, and frames come in order
 *  - nobody pins more than its budget
 *  - no wake-up is lost, on either side: nobody sleeps for ever
 *  - with LATEST the publisher always finds a free slot: it never waits for anyone
 *  - with EVERY_FRAME and LIVE it never waits either: a subscriber without room loses the new frame, and nothing that was
 *    queued for it is withdrawn
 *  - in the end every slot is free again
 *
 * Each MUTANT_... takes one step away, and must fail.
 */
#ifndef SUBSCRIBERS
#define SUBSCRIBERS 2
#endif
#ifndef USERS
#define USERS 1                  /* subscriber i is user i % USERS */
#endif
#ifndef DEPTH
#define DEPTH 1
#endif
#ifndef BUDGET
#define BUDGET 2
#endif
#ifndef SLOTS
#define SLOTS 5
#endif
#ifndef FRAMES
#define FRAMES 3
#endif
#define EMPTY 255

/* Shared memory. A cell has the number of the offer, which is the frame's here; `slotOf` is the ticket's other half. */
typedef Lane {
    byte cell[DEPTH];
    byte slotOf[DEPTH];
    byte offered;
    bool asleep;
    bool released[SLOTS];
    byte releaseWake;
}
Lane lane[SUBSCRIBERS];
byte wake[USERS];                /* the futex word of each user's wake page: what its subscribers sleep on */
bool shortage;                   /* the publisher wants to hear of releases */
bool ended;

/* What the kernel knows: who sleeps on a futex, who has hung up. */
bool sleeping[SUBSCRIBERS];
bool publisherSleeping;
bool dead[SUBSCRIBERS];

/* The pixels: the number of the frame last written into each slot. */
byte content[SLOTS];

/* Ghosts: who really holds what. The publisher never looks here. */
bool leased[SUBSCRIBERS * SLOTS];
byte held[SUBSCRIBERS];

/* The publisher's private truth. */
typedef Private {
    byte expected[DEPTH];        /* what was put in each cell */
    byte expectedSlot[DEPTH];
    bool outstanding[SLOTS];
    byte count;
    byte offers;                 /* offers made on this lane */
    bool gone;
}
Private mine[SUBSCRIBERS];

inline COLLECT(i) {
    s = 0;
    do
    :: s < SLOTS ->
        atomic {                 /* exchange(0) of the word; per bit here, which is weaker */
            if
            :: lane[i].released[s] ->
                lane[i].released[s] = false;
                if
                :: mine[i].outstanding[s] ->
                    mine[i].outstanding[s] = false;
                    mine[i].count--;
                    c = 0;
                    do
                    :: c < DEPTH ->
                        if
                        :: mine[i].expected[c] != EMPTY && mine[i].expectedSlot[c] == s -> mine[i].expected[c] = EMPTY
                        :: else
                        fi;
                        c++
                    :: else -> break
                    od
                :: else
                fi
            :: else
            fi
        };
        s++
    :: else -> break
    od
}

/* WITHDRAW: the oldest that is still queued, by compare-exchange. */
inline WITHDRAW(i) {
    withdrawn = false;
    n = (mine[i].offers > DEPTH -> mine[i].offers - DEPTH : 0);
    do
    :: n < mine[i].offers && !withdrawn ->
        c = n % DEPTH;
        if
        :: mine[i].expected[c] != EMPTY ->
            atomic {
#ifdef MUTANT_WITHDRAW
                /* believes that a frame which was taken has been withdrawn */
                lane[i].cell[c] = EMPTY; withdrawn = true;
                mine[i].outstanding[mine[i].expectedSlot[c]] = false; mine[i].count--;
#else
                if
                :: lane[i].cell[c] == mine[i].expected[c] ->
                    lane[i].cell[c] = EMPTY; withdrawn = true;
                    mine[i].outstanding[mine[i].expectedSlot[c]] = false; mine[i].count--
                :: else          /* taken: a lease now */
                fi;
#endif
                mine[i].expected[c] = EMPTY
            }
        :: else
        fi;
        n++
    :: else -> break
    od
}

inline OFFER(i) {
    c = mine[i].offers % DEPTH;
    atomic {                     /* old = cells[n % depth].exchange(ticket) */
        old = lane[i].cell[c];
        lane[i].cell[c] = mine[i].offers;
        lane[i].slotOf[c] = slot;
        if
        :: old == EMPTY          /* it was taken, or never there */
        :: old != EMPTY ->
#ifdef EVERY_FRAME
            assert(false);       /* nothing gives way */
#endif
            assert(old == mine[i].expected[c]);
            mine[i].outstanding[mine[i].expectedSlot[c]] = false;
            mine[i].count--
        fi;
        mine[i].expected[c] = mine[i].offers;
        mine[i].expectedSlot[c] = slot;
        mine[i].outstanding[slot] = true;
        mine[i].count++;
        mine[i].offers++
    };
    lane[i].offered = mine[i].offers
}

/* A hang-up: all that the dead one held is free again. */
inline REAP(i) {
    if
    :: dead[i] && !mine[i].gone ->
        atomic {
            mine[i].gone = true;
            s = 0;
            do
            :: s < SLOTS -> mine[i].outstanding[s] = false; leased[i * SLOTS + s] = false; s++
            :: else -> break
            od;
            mine[i].count = 0; held[i] = 0
        }
    :: else
    fi
}

inline FIND_FREE() {
    slot = EMPTY; s = 0;
    do
    :: s < SLOTS && slot == EMPTY ->
        free = true; i = 0;
        do
        :: i < SUBSCRIBERS -> free = free && !mine[i].outstanding[s]; i++
        :: else -> break
        od;
        if :: free -> slot = s :: else fi;
        s++
    :: else -> break
    od
}

inline COLLECT_ALL() {
    i = 0;
    do
    :: i < SUBSCRIBERS -> REAP(i); if :: !mine[i].gone -> COLLECT(i) :: else fi; i++
    :: else -> break
    od
}

/* Whether the next frame can be published: a free slot, and, where the source may wait, room in every lane that wants every
 * frame. */
inline HAS_ROOM() {
    COLLECT_ALL();
    FIND_FREE();
    room = slot != EMPTY;
#if defined(EVERY_FRAME) && (!defined(LIVE) || defined(MUTANT_LIVE_WAITS))
    i = 0;
    do
    :: i < SUBSCRIBERS -> room = room && (mine[i].gone || mine[i].count < BUDGET); i++
    :: else -> break
    od
#endif
}

byte finished;                   /* subscribers that are through, or dead */

proctype Publisher() {
    byte frame, slot, s, c, n, i, old;
    byte seen[SUBSCRIBERS];
    bool withdrawn, free, room;
    bool wakeThem[USERS];
    do
    :: frame < FRAMES ->
        HAS_ROOM();
        do
        :: room -> break
        :: else ->
#if !defined(EVERY_FRAME) || defined(LIVE)
            assert(false);       /* a camera never waits for a reader */
#endif
            /* SLEEP: the publisher's. Announce, snapshot the words, re-check, sleep; the kernel compares once more. */
            shortage = true;
            i = 0;
            do :: i < SUBSCRIBERS -> seen[i] = lane[i].releaseWake; i++ :: else -> break od;
#ifndef MUTANT_SHORTAGE_RECHECK
            HAS_ROOM();
#endif
            if
            :: room -> skip
            :: else ->
                atomic {         /* futex_waitv; a hang-up bumps a word of the publisher's own */
                    room = true; i = 0;
                    do
                    :: i < SUBSCRIBERS ->
                        room = room && seen[i] == lane[i].releaseWake && (!dead[i] || mine[i].gone); i++
                    :: else -> break
                    od;
                    if :: room -> publisherSleeping = true :: else fi
                };
                !publisherSleeping;
                HAS_ROOM()
            fi
        od;
        shortage = false;
        /* FILL: nobody may hold what is rewritten. */
        i = 0;
        do
        :: i < SUBSCRIBERS -> assert(dead[i] || !leased[i * SLOTS + slot]); i++
        :: else -> break
        od;
        content[slot] = frame;
        i = 0;
        do
        :: i < SUBSCRIBERS ->
            if
            :: !mine[i].gone ->
                COLLECT(i);
#ifndef MUTANT_NO_BUDGET
                if
#if defined(EVERY_FRAME) && !defined(MUTANT_LIVE_WITHDRAWS)
                :: mine[i].count >= BUDGET -> skip
#else
                :: mine[i].count >= BUDGET ->
                    WITHDRAW(i);
#ifdef EVERY_FRAME
                    assert(!withdrawn)
#endif
#endif
                :: else -> skip
                fi;
#endif
                if
#ifdef MUTANT_NO_BUDGET
                :: true -> OFFER(i)
#else
                :: mine[i].count < BUDGET -> OFFER(i)
                :: else -> skip  /* its whole budget is leased, or queued for every frame: this frame is its loss */
#endif
                fi
            :: else -> skip
            fi;
            i++
        :: else -> break
        od;
        /* ANNOUNCE: who sleeps? Its user's word is bumped. Only the sleeper ever clears its announcement. */
        i = 0;
        do
        :: i < SUBSCRIBERS ->
            if
            :: lane[i].asleep ->
                if
                :: !wakeThem[i % USERS] ->
#ifndef MUTANT_NO_BUMP
                    wake[i % USERS]++;
#endif
                    wakeThem[i % USERS] = true
                :: else
                fi;
#ifdef MUTANT_PUBLISHER_CLEARS
                lane[i].asleep = false;
#endif
            :: else
            fi;
            i++
        :: else -> break
        od;
        /* WAKE: a call for each user whose word was bumped. */
        n = 0;
        do
        :: n < USERS ->
            if
            :: wakeThem[n] ->
                atomic {         /* FUTEX_WAKE, all */
                    i = n;
                    do :: i < SUBSCRIBERS -> sleeping[i] = false; i = i + USERS :: else -> break od;
                    wakeThem[n] = false
                }
            :: else
            fi;
            n++;
#ifdef MUTANT_FIRST_USER
            break
#endif
        :: else -> break
        od;
        frame++
    :: else -> break
    od;
    /* The end of the channel wakes everyone, asleep or not. */
    ended = true;
    i = 0;
    do :: i < USERS -> wake[i]++; i++ :: else -> break od;
    atomic { i = 0; do :: i < SUBSCRIBERS -> sleeping[i] = false; i++ :: else -> break od };
    /* All leases end sometime; then all slots are free. */
    (finished == SUBSCRIBERS);
    COLLECT_ALL();
    i = 0;
    do
    :: i < SUBSCRIBERS ->
        if :: !mine[i].gone -> do :: WITHDRAW(i); if :: !withdrawn -> break :: else fi od :: else fi;
        assert(mine[i].count == 0);
        i++
    :: else -> break
    od
}
#define MAY_DIE if :: true -> skip :: true -> goto died fi

inline RELEASE(it, frameOfIt) {
    assert(content[it] == frameOfIt);               /* not rewritten under the lease */
    atomic {
        leased[id * SLOTS + it] = false; held[id]--;
        lane[id].released[it] = true                /* fetchOr */
    };
    if
    :: shortage ->
        MAY_DIE;
#ifndef MUTANT_RELEASE_WAKE
        lane[id].releaseWake++;
#endif
        publisherSleeping = false                   /* FUTEX_WAKE */
    :: else
    fi
}


proctype Subscriber(byte id) {
    byte next, offered, number, slot, seen, last, c, kept = EMPTY, keptFrame;
    bool got, any, holdsOn;
TAKE:
    got = false;
    offered = lane[id].offered;
    do
    :: next != offered && !got ->
        if :: offered - next > DEPTH -> next = offered - DEPTH :: else fi;
        c = next % DEPTH;
        number = lane[id].cell[c];
        MAY_DIE;
        if
        :: number == next ->
            atomic {             /* compare-exchange: a lost race means withdrawn */
                if
                :: lane[id].cell[c] == number ->
                    lane[id].cell[c] = EMPTY;
                    slot = lane[id].slotOf[c];
                    got = true;
                    assert(!leased[id * SLOTS + slot]);
                    leased[id * SLOTS + slot] = true;
                    held[id]++;
                    assert(held[id] <= BUDGET)
                :: else
                fi
            }
        :: else
        fi;
        next++;
        if :: !got -> offered = lane[id].offered :: else fi
    :: else -> break
    od;
    if
    :: got ->
        assert(!any || content[slot] > last);       /* in order, and never twice */
        last = content[slot]; any = true;
        MAY_DIE;
        if
        :: kept == EMPTY -> kept = slot; keptFrame = last         /* work on it, and take the next meanwhile */
        :: RELEASE(slot, last)
        :: kept != EMPTY -> RELEASE(kept, keptFrame); kept = slot; keptFrame = last    /* in any order */
        fi;
        goto TAKE
    :: else -> skip
    fi;
    /* Nothing to take: what was kept may go back now, or be held on to, unless it is the whole budget: who keeps that
     * and waits for more is cut off by a limit in time, and there is no time here. */
    if
    :: kept != EMPTY -> RELEASE(kept, keptFrame); kept = EMPTY
    :: kept != EMPTY && !holdsOn && BUDGET > 1 -> holdsOn = true
    :: kept == EMPTY -> skip
    fi;
    /* SLEEP: announce, re-check, sleep; the kernel compares the word once more. */
    seen = wake[id % USERS];
    lane[id].asleep = true;
    MAY_DIE;
#ifndef MUTANT_RECHECK
    if
    :: lane[id].offered != next || ended -> lane[id].asleep = false;
        if :: ended && lane[id].offered == next -> goto over :: else -> goto TAKE fi
    :: else
    fi;
#endif
    atomic { if :: wake[id % USERS] == seen -> sleeping[id] = true :: else fi };
    do
    :: !sleeping[id] -> break
    :: sleeping[id] -> atomic { if :: true -> !sleeping[id] :: true -> sleeping[id] = false; goto died fi }
    od;
    lane[id].asleep = false;
    if :: ended && lane[id].offered == next -> goto over :: else -> goto TAKE fi;
died:
    /* The kernel hangs up; the publisher's control thread makes a waiting publisher look again. */
    atomic { dead[id] = true; finished++; publisherSleeping = false };
    goto out;
over:
    if :: kept != EMPTY -> RELEASE(kept, keptFrame) :: else fi;
    finished++;
out:
    skip
}

init {
    byte i, c;
    atomic {
        do
        :: i < SUBSCRIBERS ->
            c = 0;
            do :: c < DEPTH -> lane[i].cell[c] = EMPTY; mine[i].expected[c] = EMPTY; c++ :: else -> break od;
            run Subscriber(i);
            i++
        :: else -> break
        od;
        run Publisher()
    }
}
