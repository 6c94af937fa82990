/*
 * The commit protocol of DynamoStore, for SPIN: docs/commit-protocol.md tells it in words, `npm run model` checks it whole.
 *
 * One cluster, one key that every writer changes. A step here is one request as the table executes it, or one that a process takes by
 * itself; between any two, anybody else may act for as long as it likes, or die. There is no clock: whatever waits for some time in the product
 * may happen here at any moment. Only lists lean on time, and say so (`aged`).
 *
 * Configurations: LISTS (a list beside the watches, and commits that grow too old), DAY (a day without a write: the log goes by its TTL, and whoever stood
 * still over it goes on), FLOOR (the floor moves up), WIDE (the first writer's commit takes two places and may be seen half-applied), NO_WATCH.
 * Mutations: BUG_* below; each has to be found.
 */
#ifndef WRITERS
#define WRITERS 3
#endif
#ifndef READERS
#define READERS 2
#endif
/* Fresh starts of writers that were overtaken, all together. */
#ifndef RESTARTS
#define RESTARTS 1
#endif
/* Grants of revisions whose answer is lost: the request is sent again, and the first grant is nobody's. */
#ifndef LOST
#define LOST 1
#endif
#define PLACES 12

#define EMPTY 0
#define VOID 9
#define OLD_VOID 10       /* a day old by its stamp, whenever it was executed */
#define isVoid(p) (p >= VOID)

#ifdef WIDE
#define width(w) (w == 0 -> 2 : 1)
#else
#define width(w) 1
#endif

mtype = { landed, conflict, overtaken, failed };

/* The table: the head, the places of the log (whose writer's entry lies there), the object. */
byte head = 0;
byte place[PLACES];
byte object = 0;          /* the revision that wrote it; 0: it never was */
bool deleted = false;     /* the object's item is a mark of its deletion */
byte unseen = 0;          /* a place of a half-applied transaction that queries do not show yet */
byte behind = 0;          /* which of a transaction's places come late to queries */

/* Requests that nobody waits for any more, and that the table may execute late or never. */
byte late[WRITERS];

/* What writers hold. */
byte saw[WRITERS];        /* the revision that the writer expects; 0: absent */
bool deletes[WRITERS];
byte rev[WRITERS];
byte lost = LOST;
byte restarts = RESTARTS;

/* What was answered, and what readers were shown: checked at the end. */
bool acknowledged[WRITERS];
bool refused[WRITERS];
bool ended[WRITERS];
bool has[WRITERS];          /* read what it is about to change */
byte at[READERS];
short seen[READERS];      /* a bit for each place that was shown as an entry */
byte entry[PLACES];       /* which writer's entry the place ever held, whatever became of it */
byte writing = WRITERS;
/* Readers, the list and the network. */
#ifdef NO_WATCH
byte others = 1;
#else
byte others = READERS + 1;
#endif
bool finished = false;

#ifdef LISTS
byte aged = 0;            /* revisions up to here were handed out longer ago than commits may take, requests under way included */
byte objectBefore = 0;    /* the object as a query may still show it while a transaction is half-applied */
bool deletedBefore = false;
bool half = false;
byte listedAt = 0;
byte listed = 0;          /* the live revision that the list showed; 0: none */
bool hasListed = false;
#define young(r) (r > aged)
#else
#ifdef DAY
#define young(r) (r > gone)
#else
#define young(r) true
#endif
#endif

#ifdef DAY
byte gone = 0;            /* entries up to here may have been deleted by their TTL */
byte mark = 0;            /* of the head: what is above was written after it */
bool due = false;         /* no mark is young: readers take the whole log for gone, writers have to make one */
bool spent = false;
byte lateVoid = 0;        /* a place that somebody found empty and is about to void, at any later time */
bool lateIsOld = false;   /* and has been for a day */
byte headOf[READERS + 1]; /* as a reader last read it, and what was certain then; the list is the last reader */
byte certainOf[READERS + 1];
#define certain (due -> head : mark)
#endif
#ifdef FLOOR
byte floor = 0;           /* of the head: readers below it begin anew */
/* It is moved by time, an hour behind the head; watches alone do not need that. */
#if defined(LISTS) && !defined(BUG_FLOOR_AHEAD)
#define highestFloor aged
#else
#define highestFloor head
#endif
#endif

#ifdef BUG_NO_AGE_LIMIT
#define maySend(r) true
#else
#define maySend(r) young(r)
#endif
/* No transaction is half-applied. */
#ifdef LISTS
#define whole (unseen == 0 && !half)
#else
#define whole (unseen == 0)
#endif
/* A writer that comes back after a day voids no place that it was handed before; one that stood still when it had decided to may (`lateVoid`). */
#ifdef DAY
#define mayClaim(r) (r > gone)
#else
#define mayClaim(r) true
#endif
/* No request is on its way. */
#if WRITERS == 3
#define idle (late[0] == 0 && late[1] == 0 && late[2] == 0)
#else
#define idle (late[0] == 0 && late[1] == 0)
#endif
/*
 * The first two writers are alike, and so are the readers: whoever is first is called the first. Two readers at one place have seen the same, or one
 * of them is wrong already.
 */
#define turn(w) (w != 1 || has[0])
#ifdef DAY
#define isFirst(i) true
#else
#define isFirst(i) (i == 0 || at[i] < at[0])
#endif
/* Deleted by its TTL at some time. */
#define pick(r) (r <= gone && place[r] != EMPTY)
/* A query shows something there. */
#define shows(r, to) (r <= to && place[r] != EMPTY && r != unseen)
#ifdef DAY
#define upTo(i) headOf[i]
#else
#define upTo(i) head
#endif
#if defined(DAY) && !defined(BUG_TRUSTS_OLD_VOIDS)
#define believes(i) (place[at[i] + 1] != OLD_VOID || at[i] + 1 > certainOf[i])
#else
#define believes(i) true
#endif

/* The condition on the object. A create is above the deletion that it follows: its writer may have been slow while the key came and went. */
#ifdef BUG_SLOW_CREATE
#define holds(w, r) (saw[w] == 0 -> (object == 0 || deleted) : (object == saw[w] && !deleted))
#else
#ifdef BUG_NO_CONDITION
#define holds(w, r) true
#else
#define holds(w, r) (saw[w] == 0 -> (object == 0 || (deleted && object <= r)) : (object == saw[w] && !deleted))
#endif
#endif

#ifdef BUG_NO_PLACE_CONDITION
#define free(w, r) true
#else
#define free(w, r) (place[r] == EMPTY && place[r + width(w) - 1] == EMPTY)
#endif

/* The transaction, as the table executes it: all or nothing, and never again under the same token. */
inline execute(w, r, answer) {
  if
  :: place[r] == w + 1 -> answer = landed
  :: place[r] != w + 1 && free(w, r) && holds(w, r) ->
#ifdef LISTS
     objectBefore = object; deletedBefore = deleted; half = (behind == 1);
     unseen = (behind == 0 -> r : 0);
#endif
#ifdef WIDE
     unseen = (w == 0 -> r + behind : unseen);
#endif
     place[r] = w + 1;
     place[r + width(w) - 1] = w + 1;
     entry[r] = w + 1;
     entry[r + width(w) - 1] = w + 1;
     object = r;
     deleted = deletes[w];
     answer = landed
  :: place[r] != w + 1 && !(free(w, r) && holds(w, r)) ->
     answer = (holds(w, r) -> overtaken : conflict)
  fi
}

/* What matters no more is forgotten, so that histories meet. */
inline tidy(w) {
  if
  :: ended[w] && late[w] == 0 && !acknowledged[w] && !(rev[w] != 0 && entry[rev[w]] == w + 1) -> saw[w] = 0; deletes[w] = false; rev[w] = 0
  :: else
  fi
}

/* A request that was not executed for so long never will be. */
inline forget(r) {
  late[0] = (late[0] == r -> 0 : late[0]);
  late[1] = (late[1] == r -> 0 : late[1]);
#if WRITERS > 2
  late[2] = (late[2] == r -> 0 : late[2]);
#endif
}
inline forgetAll() {
  late[0] = 0;
  late[1] = 0;
#if WRITERS > 2
  late[2] = 0;
#endif
}

/* At the end: what the log says, from its first entry up to `upTo`. */
inline replay(upTo, live) {
  live = 0;
  r = 1;
  do
  :: r > upTo -> break
  :: r <= upTo && entry[r] == 0 -> r++
  :: r <= upTo && entry[r] != 0 ->
     w = entry[r] - 1;
     /* Each commit stands on the one that its writer saw: no two on the same, none below. */
     assert(saw[w] == live);
     live = (deletes[w] -> 0 : r);
     assert(width(w) == 1 || entry[r + 1] == entry[r]);
     r = r + width(w)
  od
}

proctype Writer(byte w) {
  mtype answer;
  bool back = false;      /* the places were given back, or found to hold the commit */
  bool ambiguous = false; /* a request of this start went unanswered */
#ifdef DAY
  bool told = false;      /* the head said that a mark is due */
#endif

#ifdef BUG_REVISION_FIRST
  d_step { head = head + width(w); rev[w] = head - width(w) + 1; }
#endif
  /* latest(): what lies there now. The last writer deletes what it finds. */
  d_step {
    turn(w) -> has[w] = true;
    saw[w] = (deleted -> 0 : object);
    deletes[w] = (w == WRITERS - 1 && saw[w] != 0);
  }
#ifdef BUG_REVISION_FIRST
  goto send;
#endif

take:
  if
  :: atomic {
       head = head + width(w); rev[w] = head - width(w) + 1;
#ifdef DAY
       told = due;
#endif
     }
  :: atomic { lost > 0 -> lost--; head = head + width(w); goto take }
  fi;
  ambiguous = false;
#ifdef DAY
  /* The head that came with the grant says that a mark is due: make it above these revisions, and take others. */
  if
  :: told ->
     told = false;
     atomic { if :: due && young(rev[w]) -> mark = rev[w]; due = false :: else fi }
#ifndef BUG_MARKED_GRANT
     answer = overtaken;
     goto giveBack
#endif
  :: else
  fi;
#endif

send:
  if
  /* Slower than commits may be: nothing was sent. */
#if defined(LISTS) || defined(DAY)
  :: !maySend(rev[w]) -> answer = overtaken
#else
  :: answer = overtaken
#endif
  :: atomic { maySend(rev[w]) -> execute(w, rev[w], answer); if :: answer == landed -> goto end :: else fi }
  /* No answer comes: the request may be executed at any later time. The next try carries the same token. */
  :: atomic { late[w] == 0 && maySend(rev[w]) -> late[w] = rev[w]; ambiguous = true; }
     if
     :: atomic { maySend(rev[w]) -> execute(w, rev[w], answer); if :: answer == landed -> goto end :: else fi }
     :: answer = failed
     fi
  :: atomic { true -> answer = failed; goto end }
  fi;

giveBack:
  atomic {
    if
#ifdef DAY
    :: mayClaim(rev[w]) && lateVoid == 0 -> lateVoid = rev[w]; lateIsOld = false
#endif
    :: mayClaim(rev[w]) ->
       back = true;
       if
       :: place[rev[w]] == EMPTY -> place[rev[w]] = VOID
       :: place[rev[w]] == w + 1 -> answer = landed
       :: else
       fi;
       /* A void of a writer spans its places; beside a reader's void each is taken alone. */
       if
       :: answer != landed && width(w) == 2 && place[rev[w] + 1] == EMPTY -> place[rev[w] + 1] = VOID
       :: else
       fi
    /* The table refuses, or the writer dies here. Readers fill what is left. */
    :: back = false
    fi;
    if
    :: answer == overtaken && restarts > 0 -> restarts--; back = false; answer = 0; rev[w] = 0; goto take
    :: else
    fi;
end:
    if
    :: answer == landed -> acknowledged[w] = true
#ifdef BUG_REFUSED_TOO_EARLY
    :: answer == conflict -> refused[w] = true
#else
    /* Without its places back, and with a request on its way, a refusal would be a guess. */
    :: answer == conflict && (back || !ambiguous) -> refused[w] = true
#endif
    :: else
    fi;
    /* A writer that dies before it answers promises less: others see the same. */
    writing--; answer = 0; back = false; ambiguous = false; ended[w] = true;
#ifdef DAY
    told = false;
#endif
    tidy(w)
  }
}

/* Requests that come late, half-applied transactions that become whole, and time. */
proctype Network() {
  byte w;
  mtype answer;
  do
  :: d_step { late[0] != 0 && young(late[0]) -> w = 0; execute(w, late[0], answer); late[0] = 0; answer = 0; tidy(w); }
  :: d_step { late[1] != 0 && young(late[1]) -> w = 1; execute(w, late[1], answer); late[1] = 0; answer = 0; tidy(w); w = 0; }
#if WRITERS > 2
  :: d_step { late[2] != 0 && young(late[2]) -> w = 2; execute(w, late[2], answer); late[2] = 0; answer = 0; tidy(w); w = 0; }
#endif
  :: unseen != 0 -> unseen = 0
#ifdef LISTS
  :: half -> half = false
  /* A request is executed within seconds or never, and so is a transaction whole: the overlap of lists is longer. */
  :: d_step { aged < head && aged + 1 != unseen && !half -> aged++; forget(aged); }
#endif
#ifdef DAY
  /* A day without a write: whoever holds anything from before is too old for it. */
  :: d_step { !spent && head > 0 && whole -> spent = true; due = true; gone = head; forgetAll();
       lateIsOld = (lateVoid != 0);
       for (w : 1 .. PLACES - 1) { place[w] = (place[w] == VOID -> OLD_VOID : place[w]); }
#ifdef LISTS
       aged = head;
#endif
       for (w : 0 .. READERS) { certainOf[w] = headOf[w]; }
       w = 0;
     }
  :: d_step { lateVoid != 0 ->
       place[lateVoid] = (place[lateVoid] == EMPTY -> (lateIsOld -> OLD_VOID : VOID) : place[lateVoid]);
       lateVoid = 0; lateIsOld = false;
     }
  :: d_step { spent && pick(1) -> place[1] = EMPTY; }
  :: d_step { spent && pick(2) -> place[2] = EMPTY; }
  :: d_step { spent && pick(3) -> place[3] = EMPTY; }
  :: d_step { spent && deleted && object <= gone -> object = 0; deleted = false; }
#endif
#ifdef FLOOR
  :: d_step { floor < highestFloor -> floor++; }
#endif
  /* What was not executed until now never will be. */
  :: d_step { writing == 0 && whole -> forgetAll(); }
     break
  od;
  others--
}

/* A watch. It goes up to the first empty place, and voids one that stays empty. */
proctype Reader(byte i) {
#ifdef BUG_BLIND_FILL
  bool hole = false;
#endif
  do
#ifdef DAY
  :: d_step { headOf[i] != head || certainOf[i] != certain -> headOf[i] = head; certainOf[i] = certain; }
#endif
#if defined(DAY) && !defined(BUG_TRUSTS_OLD_VOIDS)
  /* An entry may have come and gone before the void: the watch ends, its client lists again. */
  :: at[i] < headOf[i] && place[at[i] + 1] == OLD_VOID && at[i] + 1 <= certainOf[i] -> break
#endif
#ifdef FLOOR
  :: at[i] < floor -> break
#endif
  :: d_step { isFirst(i) && shows(at[i] + 1, upTo(i)) && believes(i) ->
       at[i]++;
       seen[i] = (isVoid(place[at[i]]) -> seen[i] : seen[i] | (1 << at[i]));
#ifdef BUG_BLIND_FILL
       hole = false;
#endif
     }
#ifdef BUG_SKIPS_HOLES
  :: d_step { isFirst(i) && at[i] < head && place[at[i] + 1] == EMPTY -> at[i]++; }
#else
#ifdef BUG_BLIND_FILL
  :: at[i] < head && !hole && place[at[i] + 1] == EMPTY -> hole = true
  :: d_step { hole -> place[at[i] + 1] = VOID; hole = false; }
#else
#ifndef BUG_NO_FILL
#ifdef DAY
#ifdef BUG_FILLS_BELOW_MARK
  :: d_step { at[i] < headOf[i] && place[at[i] + 1] == EMPTY -> place[at[i] + 1] = VOID; }
#else
  :: d_step { at[i] < headOf[i] && place[at[i] + 1] == EMPTY && at[i] + 1 > certainOf[i] -> place[at[i] + 1] = VOID; }
  :: d_step { at[i] < headOf[i] && place[at[i] + 1] == EMPTY && at[i] + 1 > certainOf[i] && lateVoid == 0 -> lateVoid = at[i] + 1; lateIsOld = false; }
  /* The entry may have been there: the watch ends, its client lists again. */
  :: at[i] < headOf[i] && place[at[i] + 1] == EMPTY && at[i] + 1 <= certainOf[i] -> break
#endif
#else
  :: d_step { isFirst(i) && at[i] < head && place[at[i] + 1] == EMPTY -> place[at[i] + 1] = VOID; }
#endif
#endif
#endif
#endif
  :: writing == 0 && idle && unseen == 0 && at[i] == head -> break
  od;
  others--
}

#ifdef LISTS
/* A list: the objects, as a query may show them, and over them the log from where everything was settled up to the head. */
proctype Lister() {
  byte r;
  d_step {
    r = (aged < head -> aged : head);
#ifdef DAY
    headOf[READERS] = head; certainOf[READERS] = certain;
    r = (r < certain -> certain : r);
#endif
#ifdef FLOOR
    r = (r < floor -> floor : r);
#endif
  }
  if
  :: d_step { listed = (deleted -> 0 : object); }
  :: d_step { half -> listed = (deletedBefore -> 0 : objectBefore); }
  fi;
  d_step {
    listedAt = head;
#ifdef DAY
    headOf[READERS] = head; certainOf[READERS] = certain;
#endif
  }
#ifdef FLOOR
  if
  :: r < floor -> goto compacted
  :: else
  fi;
#endif
#ifndef BUG_NO_OVERLAY
  do
#ifdef DAY
  :: r < listedAt && place[r + 1] == OLD_VOID && r + 1 <= certainOf[READERS] -> goto compacted
#endif
  :: r >= listedAt -> break
#ifdef DAY
  :: d_step { shows(r + 1, listedAt) && (place[r + 1] != OLD_VOID || r + 1 > certainOf[READERS]) ->
#else
  :: d_step { shows(r + 1, listedAt) ->
#endif
       r++;
       listed = (isVoid(place[r]) -> listed : (deletes[(place[r] - 1) % WRITERS] -> 0 : r));
     }
#ifdef DAY
  :: d_step { r < listedAt && place[r + 1] == EMPTY && r + 1 > certainOf[READERS] -> place[r + 1] = VOID; }
  :: r < listedAt && place[r + 1] == EMPTY && r + 1 <= certainOf[READERS] -> goto compacted
#else
  :: d_step { r < listedAt && place[r + 1] == EMPTY -> place[r + 1] = VOID; }
#endif
  od;
#endif
  hasListed = true;
#if defined(DAY) || defined(FLOOR)
compacted:
#endif
  others--
}
#endif

init {
  byte i;
  byte r;
  byte w;
  byte live;
  short shown;
  if
  :: behind = 0
#if defined(LISTS) || defined(WIDE)
  :: behind = 1
#endif
  fi;
  atomic {
    for (i : 0 .. WRITERS - 1) { run Writer(i); }
#ifndef NO_WATCH
    for (i : 0 .. READERS - 1) { run Reader(i); }
#endif
#ifdef LISTS
    others++;
    run Lister();
#endif
    run Network();
    i = 0;
  }
  /* Nobody waits for ever, whoever died: an end without this one is reported. */
  writing == 0 && others == 0;
  d_step {
    replay(head, live);
    /* The objects are what the log says. */
    assert(live == (deleted -> 0 : object));
    /* Acknowledged once and there for ever; refused and never there; otherwise whole or absent, and never twice. */
    for (w : 0 .. WRITERS - 1) {
      shown = 0;
      for (r : 1 .. PLACES - 1) { shown = (entry[r] == w + 1 -> shown + 1 : shown); }
      assert(shown == 0 || shown == width(w));
      assert(!acknowledged[w] || (shown != 0 && entry[rev[w]] == w + 1));
      assert(!refused[w] || shown == 0);
    }
    /* Each watch is complete up to where it is, and nothing changed behind it. */
    for (i : 0 .. READERS - 1) {
      shown = 0;
      for (r : 1 .. PLACES - 1) { shown = (r <= at[i] && entry[r] != 0 -> shown | (1 << r) : shown); }
      assert(seen[i] == shown);
    }
#ifdef LISTS
    if
    :: hasListed ->
       replay(listedAt, live);
       assert(listed == live)
    :: else
    fi;
#endif
    finished = true;
  }
}

/* No schedule goes on for ever: a dead writer holds nobody up longer than it takes to fill its places. */
ltl ends { <> finished }
