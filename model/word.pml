/* word.pml: the row word's protocol, for spin (spinroot.com): every interleaving, within bounds, of a few hosts that read,
 * write and move one row, whose caches are stale, and that die and are recovered at any step.
 *
 *     spin -a -DHOSTS=2 -DMOVES=1 -DCRASHES=1 model/word.pml; cc -O2 -DSAFETY -DCOLLAPSE -o pan pan.c; ./pan
 *     scripts/test_model.sh       the bounds that are checked by `make check-model`, and the mutants
 *
 * What stands for what:
 *
 *   here                    there
 *   W, L, word_*            src/cxl/word.h: the row's shared word in HWcc, and the local one in its owner's memory
 *   word_memory, settle     the loss rule: what of W survives its last writer: what was written back or read by another
 *   line_*, memory, cached  src/cxl/line.h: two lines of a frame, in memory and in each host's incoherent cache
 *   fence                   src/cxl/port.h: port_fence(): ends the write-backs that this thread has begun
 *   read_frame              src/cxl/frame.c: frame_read_head(), frame_read_rest(); src/txn/access.c: read_shared()
 *   Worker: intent          src/txn/access.c: access_take(); the cancel is txn_undo() in src/txn/txn.c
 *   Worker: lock to install src/txn/commit.c: lock_writes(), read_holds(), install(), install_word(), install_local()
 *   seal                    src/txn/seal.c: seal(); src/recovery/ring.c: ring_append(), which keeps the record before
 *   Mover: move in          src/engine/mover.c: mover_move_in(), version_for(), publish_row()
 *   Mover: move out         src/engine/clock.c: move_row_out(), mover_read_locked()
 *   Mover: another's        the same for a row of another key, which gets the word and the frame in between
 *   Recoverer               src/recovery/watch.c: recover(), recovery_abandoned(); src/recovery/crash.c: redo_write(), free_word()
 *   Caches                  what a cache may do at any time: write a dirty line back, exchange a clean one for what memory has
 *   Killer                  a host dies: its dirty lines and words, and what it had not sealed, are gone
 *
 * The row's value is the number of sealed updates, `sealed`; each update adds one to what it read. A frame has one value
 * a line, so a torn copy has two. Checked, each by an assertion:
 *
 *   - a copy that passed its second look, or a read that validated, is whole and is the last sealed value
 *   - each sealed value is one more than the one before: none is lost, none is made twice
 *   - a word's version never falls, neither for who looks at it nor in memory; only who holds a word releases it
 *   - no word that is free at both looks has lines that are another version's (frame.c would say LG_CORRUPT)
 *   - at the end the row has the last sealed value, where it lives, and no word is held
 *   - no end but the wanted one: whoever waits for a word waits with a guard, so a word that stays taken is a deadlock,
 *     which spin reports as an invalid end state. Hence, too: every host that lives ends its transactions.
 *
 * Left out, or taken as right: memory order within a host (steps are those of sequential consistency; src/cxl names
 * its edges), the `used` and `absent` bits, growth, the directory (its harmlessness is that of read_frame()'s
 * checks), epochs and limbo (a word or frame is used again at once, which is harder), member words (never lost), a host
 * that returns or rebuilds rows, a host that was declared dead and runs on. A row whose owner died while it was local
 * is unavailable, and nothing is claimed of it. */

#ifndef HOSTS
#define HOSTS 2
#endif
/* Transactions of each host; host 0 owns the row. */
#ifndef TXNS0
#define TXNS0 1
#endif
#ifndef TXNS1
#define TXNS1 1
#endif
#ifndef TXNS2
#define TXNS2 1
#endif
#define TXNS(host) ((host) == 0 -> TXNS0 : ((host) == 1 -> TXNS1 : TXNS2))
#ifndef MOVES
#define MOVES 1 /* times that the row moves out */
#endif
#ifndef OTHER_MOVES
#define OTHER_MOVES 0 /* times that another row gets its word and frame in between */
#endif
#ifndef CRASHES
#define CRASHES 1
#endif

#define OWNER 0
#define NOBODY HOSTS

/* Threads, whose fences are their own. */
#define WORKER(host) (host)
#define MOVER HOSTS
#define RECOVERER(host) (HOSTS + 1 + (host))

/* A word: version in bits 3..0, then what word.h has. */
#define VERSION(word) ((word) & 15)
#define LOCK 16
#define INTENT 32
#define AWAY 64 /* W: retired; L: the row is in the frame */
#define HELD_BY(host) ((host) << 7)
#define TAKEN(word) ((word) & (LOCK | INTENT))

/* A cached line: not there, as fetched, changed, or changed and its write-back begun by a thread. */
#define GONE 0
#define CLEAN 1
#define DIRTY 2
#define LEAVING(thread) (3 + (thread))

#define SHARED 1
#define OTHERS 2

typedef line {
	byte tag;
	byte val
}
typedef cache_line {
	byte state;
	byte tag;
	byte val
}
typedef record {
	byte state; /* NO_RECORD, UNSEALED, SEALED */
	byte ver;   /* 0: of no shared row */
	byte val
}
#define NO_RECORD 0
#define UNSEALED 1
#define SEALED 2

line memory[2];
cache_line cached[HOSTS * 2];
#define AT(host, i) cached[(host) * 2 + (i)]

short W = 1, word_memory = 1;
byte word_dirty_in = NOBODY; /* whose cache has a W that memory has not */
byte word_leaving;           /* 1 + the thread that has begun to write it back, when it was: */
short word_left;
short L = AWAY;
byte local_val;
byte in_frame = SHARED; /* whose row the open word names: this one, or another's */
bool asked;             /* a move-in was asked of the owner */
bool moving;

record last[HOSTS], before[HOSTS]; /* what each host's ring still has */
byte sealed = 1;

#define LIVE 0
#define SILENT 1
#define DEAD 2
#define CLAIMED(by) (3 + (by))
byte member[HOSTS];
bool finished[HOSTS];
#define up(host) (member[host] == LIVE)

/* A host's threads end with it, before anybody else makes a step: one order of that is enough. */
byte ending; /* 0, or whose turn it is */
#define WORKER_ENDS 1
#define RECOVERER_ENDS 2
#define MOVER_ENDS 3
#define RUNS(host, turn) (ending == 0 || (ending == turn && !up(host)))

/* ---- The word ---- */

inline settle(host)
{
	if
	:: word_dirty_in != NOBODY && word_dirty_in != host ->
		word_to_memory()
	:: else
	fi
}

inline word_to_memory()
{
	word_in_memory(W);
	word_dirty_in = NOBODY;
	word_leaving = 0;
	word_left = 0
}

inline word_in_memory(word)
{
	assert(VERSION(word) >= VERSION(word_memory));
	word_memory = word;
	forget_done(last[0]);
	forget_done(before[0]);
	forget_done(last[1]);
	forget_done(before[1])
#if HOSTS > 2
	;
	forget_done(last[2]);
	forget_done(before[2])
#endif
}

/* Memory's version never falls: a record at or below it has nothing to say any more. Fewer states, nothing else. */
inline forget_done(which)
{
	if
	:: which.state == SEALED && which.ver <= VERSION(word_memory) ->
		record_clear(which)
	:: else
	fi
}

inline record_clear(which)
{
	which.state = NO_RECORD;
	which.ver = 0;
	which.val = 0
}

inline word_set(host, to)
{
	settle(host);
	assert(VERSION(to) >= VERSION(W));
	W = to;
	word_dirty_in = host
}

inline word_write_back(host, thread)
{
	if
	:: word_dirty_in == host ->
		if
		:: word_leaving != 0 && word_leaving != thread + 1 ->
			word_in_memory(word_left)
		:: else
		fi;
		word_leaving = thread + 1;
		word_left = W
	:: else
	fi
}

/* What was written back is in memory, though it may have been changed again since. */
inline word_fence(thread)
{
	if
	:: word_leaving == thread + 1 ->
		word_in_memory(word_left);
		word_leaving = 0;
		word_left = 0;
		if
		:: W == word_memory ->
			word_dirty_in = NOBODY
		:: else
		fi
	:: else
	fi
}

/* ---- Lines ---- */

inline fetch(host, i)
{
	if
	:: AT(host, i).state == GONE ->
		AT(host, i).tag = memory[i].tag;
		AT(host, i).val = memory[i].val;
		AT(host, i).state = CLEAN
	:: else
	fi
}

inline line_to_memory(host, i)
{
	memory[i].tag = AT(host, i).tag;
	memory[i].val = AT(host, i).val;
	AT(host, i).state = CLEAN
}

inline line_forget(host, i)
{
	AT(host, i).state = GONE;
	AT(host, i).tag = 0;
	AT(host, i).val = 0
}

inline line_flush(host, i)
{
	if
	:: AT(host, i).state >= DIRTY ->
		line_to_memory(host, i)
	:: else
	fi;
	line_forget(host, i)
}

/* Leaves in `has` whether memory has the line under the tag, and then its value in `to`. The look at the tag, and the flush
 * and second look if it is another, are one step: what comes between them could as well have come before. */
inline line_read(host, i, tag_wanted, has, to)
{
#ifdef PAYLOAD_BEFORE_TAG
	d_step {
		fetch(host, i);
		to = AT(host, i).val
	};
#endif
	d_step {
		fetch(host, i);
#if !defined(TRUST_CACHE) && !defined(NO_FLUSH)
		if
		:: AT(host, i).tag != tag_wanted ->
			line_flush(host, i);
			fetch(host, i)
#ifdef PAYLOAD_BEFORE_TAG
			;
			to = AT(host, i).val
#endif
		:: else
		fi;
#endif
#ifdef TRUST_CACHE
		has = true
#else
		has = (AT(host, i).tag == tag_wanted)
#endif
	}
#ifndef PAYLOAD_BEFORE_TAG
	;
	d_step {
		if
		:: has ->
			fetch(host, i);
			to = AT(host, i).val
		:: else
		fi
	}
#endif
}

inline store_val(host, i, value)
{
	fetch(host, i);
	AT(host, i).val = value;
	AT(host, i).state = DIRTY
}

inline store_tag(host, i, version)
{
	fetch(host, i);
	AT(host, i).tag = version;
	AT(host, i).state = DIRTY
}

inline line_write(host, thread, i, version, value)
{
#ifdef TAG_BEFORE_PAYLOAD
	d_step {
		store_tag(host, i, version)
	};
	d_step {
		store_val(host, i, value);
		line_write_back(host, thread, i)
	}
#else
	d_step {
		store_val(host, i, value)
	};
	d_step {
		store_tag(host, i, version);
		line_write_back(host, thread, i)
	}
#endif
}

inline line_write_back(host, thread, i)
{
#ifndef NO_WRITE_BACK_LINE
	AT(host, i).state = LEAVING(thread)
#else
	skip
#endif
}

inline frame_write(host, thread, version, value)
{
	line_write(host, thread, 0, version, value);
	line_write(host, thread, 1, version, value)
}

inline fence(host, thread)
{
	d_step {
		if
		:: AT(host, 0).state == LEAVING(thread) ->
			line_to_memory(host, 0)
		:: else
		fi;
		if
		:: AT(host, 1).state == LEAVING(thread) ->
			line_to_memory(host, 1)
		:: else
		fi;
		word_fence(thread);
		if
		:: thread == WORKER(host) && last[host].state == UNSEALED ->
			record_to_memory(host)
		:: else
		fi
	}
}

/* ---- Records ---- */

/* The commit point: the record is there for whoever comes. */
inline record_to_memory(host)
{
	if
	:: last[host].val != 0 ->
		assert(last[host].val == sealed + 1);
		sealed = last[host].val
	:: else
	fi;
	last[host].state = SEALED;
	if
	:: last[host].ver == 0 ->
		record_clear(last[host])
	:: else
	fi
}

inline seal(host, version, value)
{
#ifndef NO_FENCE_LOCKED
	if
	:: word_leaving == WORKER(host) + 1 ->
		fence(host, WORKER(host))
	:: else
	fi;
#endif
	d_step {
		before[host].state = last[host].state;
		before[host].ver = last[host].ver;
		before[host].val = last[host].val;
		last[host].state = UNSEALED;
		last[host].ver = version;
		last[host].val = value
	}
#ifndef NO_FENCE_SEAL
	fence(host, WORKER(host))
#endif
}

/* ---- Transactions ---- */

#define NOT_YET 0 /* the word was taken, or changed: look again */
#define READ 1
#define MISSED 2 /* retired, or another row's */

/* Under `seen`, a look that was neither locked nor retired. */
inline read_frame(host, seen, result, a, b)
{
	line_read(host, 0, VERSION(seen), result, a);
	if
	:: d_step {
		result && a != 0 ->
		result = READ
	}
		line_read(host, 1, VERSION(seen), result, b);
		d_step {
#ifndef NO_SECOND_LOOK
			settle(host);
#endif
			if
#ifndef NO_SECOND_LOOK
			:: (W & (LOCK | AWAY)) || VERSION(W) != VERSION(seen) ->
				result = NOT_YET
#endif
			:: else ->
				assert(result); /* else: corrupt */
				assert(a == b);
				assert(a == sealed);
				result = READ
			fi;
			b = 0
		}
	:: d_step {
		result && a == 0 ->
		result = MISSED
	}
	:: d_step {
		!result ->
		settle(host);
		assert(W != seen); /* else: corrupt */
		result = NOT_YET
	}
	fi
}


#ifdef SKIP_VALIDATION
#define VALID(word) true
#else
#define VALID(word) (!((word) & (AWAY | LOCK)) && VERSION(word) == version)
#endif

/* What no one will look at any more makes no states. */
inline forget_unneeded(host)
{
	if
	:: host != OWNER && AT(host, 0).state == CLEAN ->
		line_forget(host, 0)
	:: else
	fi;
	if
	:: host != OWNER && AT(host, 1).state == CLEAN ->
		line_forget(host, 1)
	:: else
	fi
}

proctype Worker(byte me) provided (RUNS(me, WORKER_ENDS))
{
	byte done, version, result, a, b;
	short seen;
next:
	{
		atomic {
			if
			:: done == TXNS(me) ->
				goto end
			:: done < TXNS(me) ->
				done++
			:: last[me].state == SEALED ->
				goto elsewhere
			fi
		}
look:
		atomic {
			if
			:: me != OWNER || (L & AWAY) ->
				goto shared
			:: me == OWNER && !(L & AWAY) && !TAKEN(L) ->
				version = L;
				a = local_val;
				assert(a == sealed)
			fi
		}
		atomic {
			if
			:: goto validate_local
			:: L != version ->
				goto look
			:: L == version ->
				L = version | INTENT
			fi
		}
		atomic {
			if
			:: L = version ->
				goto over
			:: L = version | LOCK
			fi
		}
		seal(me, 0, a + 1);
		atomic {
			assert(L == (version | LOCK));
			local_val = a + 1;
			L = version + 1;
			goto over
		}

shared:
		atomic {
			settle(me);
			seen = W;
			if
			:: (seen & AWAY) && me == OWNER ->
				(!(W & AWAY) || !(L & AWAY));
				goto look
			:: (seen & AWAY) && me != OWNER ->
				goto ask
#ifndef READ_LOCKED
			:: seen & LOCK ->
				(W != seen);
				goto look
#endif
			:: else ->
				version = VERSION(seen)
			fi
		}
		read_frame(me, seen, result, a, b);
		atomic {
			if
			:: result == NOT_YET || (result == MISSED && me == OWNER) ->
				goto look
			:: result == MISSED && me != OWNER ->
				goto ask
			:: result == READ ->
				goto validate_shared
			:: result == READ
			fi
		}
		atomic {
			settle(me);
			seen = W;
			if
			:: seen & INTENT ->
				(W != seen);
				goto look
			:: !(seen & INTENT) && seen != version ->
				goto look
			:: seen == version ->
				word_set(me, version | INTENT | HELD_BY(me))
			fi
		}
		atomic {
			assert(W == (version | INTENT | HELD_BY(me)));
			if
			:: true ->
				word_set(me, version);
				goto over
			:: true ->
				word_set(me, version | LOCK | HELD_BY(me))
#ifndef NO_WRITE_BACK_LOCKED
				;
				word_write_back(me, WORKER(me))
#endif
			fi
		}
		seal(me, version + 1, a + 1);
		frame_write(me, WORKER(me), version + 1, a + 1);
#ifndef NO_FENCE_COMMIT
		fence(me, WORKER(me));
#endif
		atomic {
			assert(W == (version | LOCK | HELD_BY(me)));
			word_set(me, version + 1);
#ifndef NO_WRITE_BACK_INSTALLED
			word_write_back(me, WORKER(me));
#endif
			goto over
		}

ask:
		asked = true;
		atomic {
			if
			:: !(W & AWAY) && in_frame == SHARED ->
				goto look
			:: !up(OWNER) && ((W & AWAY) || in_frame == OTHERS) ->
				goto over /* unavailable */
			fi
		}

elsewhere: /* two commits of other rows: the records before them leave the ring */
		seal(me, 0, 0);
		seal(me, 0, 0);
		goto over;

validate_local:
		atomic {
			if
			:: L & AWAY
#ifdef AWAY_IS_SAME
				-> assert(a == sealed);
				goto over
#endif
			:: !(L & AWAY) ->
				if
				:: VALID(L) ->
					assert(a == sealed)
				:: else
				fi;
				goto over
			fi
		}
validate_shared:
		atomic {
			settle(me);
			if
			:: VALID(W) ->
				assert(a == sealed)
			:: else
			fi
		}
over:
		atomic {
			version = 0;
			result = 0;
			a = 0;
			b = 0;
			seen = 0
		}
		goto next;
end:
		atomic {
			finished[me] = true;
			done = 0;
			forget_unneeded(me)
		}
	} unless { !up(me) };
	d_step {
		done = 0;
		version = 0;
		result = 0;
		a = 0;
		b = 0;
		seen = 0;
		assert(!up(me) || finished[me]); /* `me` is needed until here: spin clears what no statement uses any more */
		ending = 0
	}
}

/* ---- Movement ---- */

/* Above all that the word and the frame have carried; `own` if that is. */
inline version_for(own, to)
{
	d_step {
		settle(OWNER);
		to = own;
#ifndef SAME_VERSION_AGAIN
		if
		:: to <= VERSION(W) ->
			to = VERSION(W) + 1
		:: else
		fi
#else
		if
		:: to < VERSION(W) ->
			to = VERSION(W)
		:: else
		fi
#endif
	}
}

inline retire(version)
{
	d_step {
		word_set(OWNER, AWAY | version)
#ifndef NO_WRITE_BACK_RETIRED
		;
		word_write_back(OWNER, MOVER)
#endif
	}
	fence(OWNER, MOVER)
}

inline publish(whose, version, value)
{
	frame_write(OWNER, MOVER, version, value);
#ifndef NO_FENCE_MOVE_IN
	fence(OWNER, MOVER);
#endif
	d_step {
		word_set(OWNER, version);
		in_frame = whose
	}
}

#ifdef MOVE_OUT_IGNORES_INTENT
#define UNMOVABLE (LOCK | AWAY)
#else
#define UNMOVABLE (LOCK | INTENT | AWAY)
#endif

proctype Mover() provided (RUNS(OWNER, MOVER_ENDS))
{
	byte outs, others, version, result, a, b;
endidle:
	{
		do
		:: atomic {
			asked && (L & AWAY) && !(W & AWAY) ->
			asked = false;
			goto endidle
		}
		:: atomic {
			asked && (W & AWAY) && !(L & AWAY) && !TAKEN(L) ->
			moving = true;
			version = VERSION(L);
			L = L | LOCK
		}
			version_for(version, version);
			publish(SHARED, version, local_val);
			atomic {
				L = AWAY;
				local_val = 0;
				asked = false;
				goto idle
			}
		:: atomic {
			in_frame == OTHERS && !(W & AWAY) ->
			moving = true;
			settle(OWNER);
			assert(!TAKEN(W));
			word_set(OWNER, W | LOCK | HELD_BY(OWNER))
		}
			retire(VERSION(W));
			goto idle
		:: atomic {
			others < OTHER_MOVES && (W & AWAY) && !(L & AWAY) ->
			moving = true;
			others++
		}
			version_for(1, version);
			publish(OTHERS, version, 0);
			goto idle
		:: atomic {
			outs < MOVES && (L & AWAY) && in_frame == SHARED && !(W & UNMOVABLE) ->
			moving = true;
			outs++;
			settle(OWNER);
			version = VERSION(W);
			word_set(OWNER, version | LOCK | HELD_BY(OWNER))
		}
			line_read(OWNER, 0, version, result, a);
			assert(result);
			line_read(OWNER, 1, version, result, b);
			atomic {
				assert(result && a == b && a == sealed);
				local_val = a;
				a = 0;
				b = 0
			}
			retire(version);
			atomic {
				L = version;
				goto idle
			}
		od;
idle:
		atomic {
			version = 0;
			result = 0;
			a = 0;
			b = 0;
			moving = false;
			goto endidle
		}
	} unless { !up(OWNER) };
	d_step {
		version = 0;
		result = 0;
		a = 0;
		b = 0;
		outs = 0;
		others = 0;
		asked = false;
		moving = false;
		L = AWAY;
		local_val = 0;
		ending = RECOVERER_ENDS
	}
}

/* ---- Recovery ---- */

inline redo(which)
{
	atomic {
		settle(me);
		if
		:: which.state == SEALED && (W & LOCK) && !(W & AWAY) && (W >> 7) == dead &&
		   VERSION(W) < which.ver ->
			seen = W
		:: else ->
			seen = 0
		fi
	}
	if
	:: seen != 0 ->
		frame_write(me, RECOVERER(me), which.ver, which.val);
		fence(me, RECOVERER(me));
		d_step {
			settle(me);
			if
			:: W == seen ->
				word_set(me, which.ver)
#ifndef NO_WRITE_BACK_RECOVERED
				;
				word_write_back(me, RECOVERER(me))
#endif
			:: else
			fi
		}
	:: else
	fi
}

inline free_word(dead)
{
	d_step {
		settle(me);
		if
		:: TAKEN(W) && !(W & AWAY) && (W >> 7) == dead ->
			word_set(me, VERSION(W))
#ifndef NO_WRITE_BACK_RECOVERED
			;
			word_write_back(me, RECOVERER(me))
#endif
		:: else
		fi
	}
}

#ifdef RECOVERY_NOT_TAKEN_OVER
#define ABANDONED(host) false
#else
#define ABANDONED(host) (member[host] >= CLAIMED(0) && !up(member[host] - CLAIMED(0)))
#endif

inline claim(host)
{
	d_step {
		host != me && (member[host] == SILENT || ABANDONED(host)) ->
		member[host] = CLAIMED(me);
		dead = host
	}
}

proctype Recoverer(byte me) provided (RUNS(me, RECOVERER_ENDS))
{
	byte dead;
	short seen;
endwatch:
	{
		if
		:: claim(0)
		:: claim(1)
#if HOSTS > 2
		:: claim(2)
#endif
		fi;
#ifdef FREE_BEFORE_REDO
		free_word(dead);
#endif
#ifndef NO_REDO
		redo(before[dead]);
		redo(last[dead]);
#endif
#ifndef NO_FREEING
		free_word(dead);
#endif
		fence(me, RECOVERER(me));
		atomic {
			member[dead] = DEAD;
			record_clear(before[dead]);
			record_clear(last[dead]);
			dead = 0;
			seen = 0;
			goto endwatch
		}
	} unless { !up(me) };
	d_step {
		dead = 0;
		seen = 0;
		ending = (finished[me] -> 0 : WORKER_ENDS);
		finished[me] = false
	}
}

/* ---- What happens by itself ---- */

inline cache_acts(host, i)
{
	d_step {
		up(host) && AT(host, i).state >= DIRTY ->
		line_to_memory(host, i)
	}
}

/* A look at a line is only worth a step while somebody there may still read it. */
inline cache_renews(host, i)
{
	d_step {
		up(host) && (!finished[host] || host == OWNER) && AT(host, i).state < DIRTY &&
		        (AT(host, i).tag != memory[i].tag || AT(host, i).val != memory[i].val) ->
		AT(host, i).tag = memory[i].tag;
		AT(host, i).val = memory[i].val;
		AT(host, i).state = CLEAN
	}
}

inline record_leaves(host)
{
	d_step {
		up(host) && last[host].state == UNSEALED ->
		record_to_memory(host)
	}
}

proctype Caches() provided (ending == 0)
{
endcaches:
	do
	:: cache_acts(0, 0)
	:: cache_acts(0, 1)
	:: cache_acts(1, 0)
	:: cache_acts(1, 1)
	:: cache_renews(0, 0)
	:: cache_renews(0, 1)
	:: cache_renews(1, 0)
	:: cache_renews(1, 1)
	:: record_leaves(0)
	:: record_leaves(1)
#if HOSTS > 2
	:: cache_acts(2, 0)
	:: cache_acts(2, 1)
	:: cache_renews(2, 0)
	:: cache_renews(2, 1)
	:: record_leaves(2)
#endif
	:: d_step {
		word_dirty_in != NOBODY && W != word_memory ->
		word_to_memory()
	}
	od
}

inline die(host)
{
	d_step {
		up(host) ->
		member[host] = SILENT;
		line_forget(host, 0);
		line_forget(host, 1);
		if
		:: word_dirty_in == host ->
			W = word_memory;
			word_dirty_in = NOBODY;
			word_leaving = 0;
			word_left = 0
		:: else
		fi;
		if
		:: last[host].state == UNSEALED ->
			last[host].state = NO_RECORD;
			last[host].ver = 0;
			last[host].val = 0
		:: else
		fi;
		crashes++;
		ending = (host == OWNER -> MOVER_ENDS : RECOVERER_ENDS)
	}
}

proctype Killer() provided (ending == 0)
{
	byte crashes;
	do
	:: crashes == CRASHES ->
		break
	:: crashes < CRASHES ->
		if
		:: die(0)
		:: die(1)
#if HOSTS > 2
		:: die(2)
#endif
		fi
	od
}

#define ENDED(host) (member[host] == DEAD || (up(host) && finished[host]))

init {
	byte i;
	atomic {
		for (i : 0 .. 1) {
			memory[i].tag = 1;
			memory[i].val = 1
		}
		for (i : 0 .. HOSTS - 1) {
			run Worker(i);
			run Recoverer(i)
		}
		run Mover();
		run Caches();
		run Killer();
		i = 0
	}
	atomic {
		ENDED(0) && ENDED(1) &&
#if HOSTS > 2
		        ENDED(2) &&
#endif
		        !moving ->
		assert(!TAKEN(W));
		if
		:: !(W & AWAY) && in_frame == SHARED ->
			assert(memory[0].tag == VERSION(W) && memory[1].tag == VERSION(W));
			assert(memory[0].val == sealed && memory[1].val == sealed)
		:: else
		fi;
		if
		:: up(OWNER) && !(L & AWAY) ->
			assert(!TAKEN(L) && local_val == sealed)
		:: else
		fi
	}
}
