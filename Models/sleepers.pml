/* Threads that sleep on one word: who wakes them where the publisher's one call does not.
 *
 * READERS threads of one subscriber, each of which is offered one frame. The publisher wakes MOST threads by its own call,
 * and leaves the others to its control thread. It may die at any step, with its control thread. The reader's process has a
 * thread that the kernel tells of the hang-up. No sleep has a time-out. Memory is sequentially consistent here.
 *
 * Proved (assertions and absence of deadlock):
 *  - every thread gets its frame, or learns that the publisher has died: none sleeps for ever
 *  - none is told of a death that was none
 *
 * Each MUTANT_... takes one step away, and must fail.
 */
#ifndef READERS
#define READERS 2
#endif
#define MOST 1

bool offered[READERS], asleep[READERS], sleeping[READERS];
byte word;
bool dead;                       /* the publisher's process; the kernel hangs up */
bool locked;                     /* the subscriber's lock */
bool told;                       /* the reader's process knows of the hang-up */
bool alarmed[READERS];           /* whose sleep the alarm is for: those that were counted when it was raised */
bool counted[READERS];
bool crowd;                      /* there were more sleepers than one call wakes */
byte woken;

#define LOCK atomic { !locked -> locked = true }
#define UNLOCK locked = false

#if READERS > 2
#define THIRD :: woken < MOST && sleeping[2] -> sleeping[2] = false; woken++
#define NOBODY_SLEEPS (!sleeping[0] && !sleeping[1] && !sleeping[2])
#else
#define THIRD
#define NOBODY_SLEEPS (!sleeping[0] && !sleeping[1])
#endif

/* FUTEX_WAKE of MOST threads, in any order. */
inline wake_most() {
    atomic {
        woken = 0;
        do
        :: woken < MOST && sleeping[0] -> sleeping[0] = false; woken++
        :: woken < MOST && sleeping[1] -> sleeping[1] = false; woken++
        THIRD
        :: woken == MOST || NOBODY_SLEEPS -> break
        od
    }
}

#define MAY_DIE if :: true -> skip :: true -> dead = true; goto over fi

proctype Publisher() {
    byte i;
    bool anyone;
    do
    :: i < READERS -> MAY_DIE; offered[i] = true; i++
    :: else -> break
    od;
    MAY_DIE;
    i = 0;
    do
    :: i < READERS -> anyone = anyone || asleep[i]; i++
    :: else -> break
    od;
    if
    :: anyone ->
        word++;
        MAY_DIE;
        atomic { wake_most(); if :: woken == MOST -> crowd = true :: else fi }
    :: else
    fi;
    /* CROWD: the control thread wakes those that one call has not. */
    do
    :: crowd ->
        MAY_DIE;
#ifdef MUTANT_NO_CROWD
        crowd = false
#else
        atomic { wake_most(); crowd = woken == MOST }
#endif
    :: !crowd -> break
    od;
over:
    skip
}

proctype Reader(byte me) {
    byte seen;
again:
    LOCK;
    seen = word;
    asleep[me] = true;
    if
    :: offered[me] -> asleep[me] = false; UNLOCK; goto took
    :: else -> skip
    fi;
#ifndef MUTANT_NO_LOOK
    if
    :: told -> asleep[me] = false; UNLOCK; goto over
    :: else -> skip
    fi;
#endif
    counted[me] = true;
    UNLOCK;
    atomic { if :: word == seen -> sleeping[me] = true :: else fi };
    !sleeping[me];
    LOCK;
    counted[me] = false;
    alarmed[me] = false;
    asleep[me] = false;
    if :: offered[me] -> UNLOCK; goto took :: else -> skip fi;
    if :: told -> UNLOCK; goto over :: else -> skip fi;
    UNLOCK;
    goto again;
over:
    assert(dead);
took:
    skip
}

/* WATCH: the kernel tells this thread of the hang-up, once. */
proctype Watcher() {
    byte i;
    bool heard;
end:
    dead;
    LOCK;
    told = true;
    UNLOCK;
    /* ALARM: all that are counted are woken until they have looked. */
    LOCK;
    i = 0;
    do :: i < READERS -> alarmed[i] = counted[i]; i++ :: else -> break od;
    UNLOCK;
    do
    :: atomic { i = 0; do :: i < READERS -> sleeping[i] = false; i++ :: else -> break od };
#ifdef MUTANT_ONE_ALARM
        break;
#endif
        LOCK;
        heard = true;
        i = 0;
        do :: i < READERS -> heard = heard && !alarmed[i]; i++ :: else -> break od;
        UNLOCK;
        if :: heard -> break :: else fi
    od
}

init {
    byte i;
    atomic {
        run Publisher();
        run Watcher();
        do :: i < READERS -> run Reader(i); i++ :: else -> break od
    }
}
