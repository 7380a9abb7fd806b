/* Words that two processes share, under the memory orderings of C11, which are Swift's.
 *
 * A word is the list of all that was ever written to it. Each process has a view: for each word, the oldest entry that
 * it may still read. A read takes any entry from there on, so it may be as old as store buffers, caches or loads out of
 * order could ever make it. An entry has the view that is handed on with it: all that its writer knew, if it was a
 * releasing store, and what it knew at its last fence otherwise; an acquiring load takes that over. A read-modify-write
 * acts on the newest entry, and hands on the view of the one that it replaced as well. Sequentially consistent
 * operations also go through one view of their own, `sc`.
 *
 * Memory that is not atomic (pixels and frame records) is two counters in each view: how often a slot was written, how
 * often it was read. Who reads must know of every write; who writes must know of every read. Anything else is a race.
 *
 * Not here: a load that returns what is stored later than it. In the lane every atomic load is acquiring, comes before a
 * releasing store, or decides about the store that follows; so none can.
 */
#define SLOT_WRITES(s) (WORDS + (s))
#define SLOT_READS(s) (WORDS + SLOTS + (s))
#define PLACES (WORDS + 2 * SLOTS)

#define RELAXED 0
#define ACQUIRING 1
#define RELEASING 2
#define ACQUIRING_AND_RELEASING 3
#define SEQUENTIALLY_CONSISTENT 7

typedef View { byte at[PLACES] }
typedef Entry { byte value; byte at[PLACES] }
typedef Word { byte newest; Entry entry[HISTORY] }
Word word[WORDS];

View known[2];                   /* what each process must take into account */
View heard[2];                   /* what it would, had all its loads been acquiring: a fence makes it so */
View fenced[2];                  /* what it knew at its last fence */
View sc;
View kernel;                     /* what system calls hand on: locks in the kernel */

byte written[SLOTS], readings[SLOTS], content[SLOTS];

hidden byte place, oldest, other, each;  /* these live within one d_step only */
#define JOIN(into, from) \
    place = 0; \
    do \
    :: place < PLACES -> \
        into.at[place] = (from.at[place] > into.at[place] -> from.at[place] : into.at[place]); \
        place++ \
    :: else -> break \
    od
#define COPY(into, from) \
    place = 0; \
    do :: place < PLACES -> into.at[place] = from.at[place]; place++ :: else -> break od

/* Forgets the entries of a word that nobody can read any more: histories stay short, and equal states are equal. */
#define LESS(number) number = (number > oldest -> number - oldest : 0)
#define FORGET(w) \
    oldest = (known[0].at[w] < known[1].at[w] -> known[0].at[w] : known[1].at[w]); \
    if \
    :: oldest > 0 -> \
        LESS(known[0].at[w]); LESS(known[1].at[w]); LESS(heard[0].at[w]); LESS(heard[1].at[w]); \
        LESS(fenced[0].at[w]); LESS(fenced[1].at[w]); LESS(sc.at[w]); LESS(kernel.at[w]); \
        other = 0; \
        do \
        :: other < WORDS -> \
            each = 0; \
            do \
            :: each <= word[other].newest -> LESS(word[other].entry[each].at[w]); each++ \
            :: else -> break \
            od; \
            other++ \
        :: else -> break \
        od; \
        each = 0; \
        do \
        :: each + oldest <= word[w].newest -> \
            word[w].entry[each].value = word[w].entry[each + oldest].value; \
            COPY(word[w].entry[each], word[w].entry[each + oldest]); \
            each++ \
        :: each + oldest > word[w].newest && each <= word[w].newest -> \
            word[w].entry[each].value = 0; \
            place = 0; \
            do :: place < PLACES -> word[w].entry[each].at[place] = 0; place++ :: else -> break od; \
            each++ \
        :: else -> break \
        od; \
        word[w].newest = word[w].newest - oldest \
    :: else \
    fi

inline LOAD(me, w, order, into) {
    atomic {
        at = (order == SEQUENTIALLY_CONSISTENT && sc.at[w] > known[me].at[w] -> sc.at[w] : known[me].at[w]);
        do :: at < word[w].newest -> at++ :: break od;       /* any that is not older than what is known */
        skip;
        d_step {
            into = word[w].entry[at].value;
            known[me].at[w] = at;
            heard[me].at[w] = (at > heard[me].at[w] -> at : heard[me].at[w]);
            JOIN(heard[me], word[w].entry[at]);
            if :: order & ACQUIRING -> JOIN(known[me], word[w].entry[at]) :: else fi;
            FORGET(w);
            at = 0
        }
    }
}

/* Within a d_step: writes one entry more. */
#define APPEND(me, w, order, then) \
    assert(word[w].newest + 1 < HISTORY); \
    word[w].newest++; \
    at = word[w].newest; \
    word[w].entry[at].value = then; \
    known[me].at[w] = at; heard[me].at[w] = at; \
    if \
    :: order & RELEASING -> COPY(word[w].entry[at], known[me]) \
    :: else -> COPY(word[w].entry[at], fenced[me]); word[w].entry[at].at[w] = at \
    fi; \
    if :: order == SEQUENTIALLY_CONSISTENT -> sc.at[w] = at :: else fi

inline STORE(me, w, order, then) {
    d_step { APPEND(me, w, order, then); FORGET(w); at = 0 }
}

/* `was` gets the word's value before. */
inline MODIFY(me, w, order, was, then) {
    d_step {
        at = word[w].newest;
        was = word[w].entry[at].value;
        JOIN(heard[me], word[w].entry[at]);
        if :: order & ACQUIRING -> JOIN(known[me], word[w].entry[at]) :: else fi;
        APPEND(me, w, order, then);
        JOIN(word[w].entry[at], word[w].entry[at - 1]);
        FORGET(w);
        at = 0
    }
}

inline COMPARE_EXCHANGE(me, w, order, old, then, done) {
    d_step {
        at = word[w].newest;
        done = word[w].entry[at].value == old;
        JOIN(heard[me], word[w].entry[at]);
        if :: order & ACQUIRING -> JOIN(known[me], word[w].entry[at]) :: else fi;
        known[me].at[w] = at; heard[me].at[w] = at;
        if
        :: done -> APPEND(me, w, order, then); JOIN(word[w].entry[at], word[w].entry[at - 1])
        :: else
        fi;
        FORGET(w);
        at = 0
    }
}

inline FENCE(me) {               /* sequentially consistent */
    d_step {
        JOIN(known[me], heard[me]); JOIN(known[me], sc);
        COPY(sc, known[me]); COPY(heard[me], known[me]); COPY(fenced[me], known[me])
    }
}

inline ACQUIRING_FENCE(me) {
    d_step { JOIN(known[me], heard[me]) }
}

/* Through the kernel: whoever comes later knows what those before did. Futexes promise no more than that: a waiter is
 * queued under the same lock under which it looks at the word. */
inline SYSTEM_CALL(me) {
    d_step {
        JOIN(known[me], kernel); JOIN(heard[me], kernel); JOIN(kernel, known[me])
    }
}

inline WRITE_SLOT(me, s, value) {
    d_step {
        assert(known[me].at[SLOT_READS(s)] == readings[s]);  /* else it is rewritten under a reader */
        written[s]++;
        content[s] = value;
        known[me].at[SLOT_WRITES(s)] = written[s]; heard[me].at[SLOT_WRITES(s)] = written[s]
    }
}

inline READ_SLOT(me, s, value) {
    d_step {
        assert(known[me].at[SLOT_WRITES(s)] == written[s]);  /* else it may find what was there before */
        readings[s]++;
        value = content[s];
        known[me].at[SLOT_READS(s)] = readings[s]; heard[me].at[SLOT_READS(s)] = readings[s]
    }
}
