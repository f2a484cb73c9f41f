/* mutant.h: steps of the protocols that can be left out on purpose, to see that a test notices.
 *
 * In a build with -DLG_MUTANTS (`make check-mutants`), the environment variable LIGER_MUTANT names one step, and
 * `if (!MUTANT(STEP))` around it leaves it out. In every other build the step is simply there. Whoever adds a step to a
 * protocol adds it here: the list is what docs/testing.md shows as caught, with the tests and seeds that it took.
 */
#ifndef LIGER_CXL_MUTANT_H
#define LIGER_CXL_MUTANT_H

#define LG_MUTANT_LIST(M)                                                                                              \
	M(WRITE_BACK_LINE, "line_write() writes no line back")                                                         \
	M(FLUSH_LINE, "line_fresh_tag() flushes no line before it loads it again")                                     \
	M(FULL_FENCE_LINE, "line_fresh_tag() has no full fence between flush and load")                                \
	M(WRITE_BACK_POD, "who creates a pod does not write it back")                                                  \
	M(FENCE_POD, "who creates a pod does not wait for its write-back")                                             \
	M(WRITE_BACK_RETIRED, "word_retire() does not write the word back")                                            \
	M(FENCE_RETIRED, "word_retire() does not wait for the write-back")                                             \
	M(SECOND_LOOK_HEAD, "frame_read_head() takes an old frame for another's without a second look at the word")    \
	M(SECOND_LOOK_LENGTHS, "frame_read_head() takes a changing head for a corrupt one without a second look")      \
	M(SECOND_LOOK_FRAME, "frame_read_rest() takes no second look at the word")                                     \
	M(SECOND_LOOK_LOCAL, "read_local() takes no second look at the word")                                          \
	M(FENCE_CATALOG, "a table is counted before its lines are visible")                                            \
	M(FENCE_CHANNEL, "the doorbell is rung before the message's lines are visible")                                \
	M(FENCE_ACKNOWLEDGEMENT, "an acknowledgement is not waited for")                                               \
	M(FENCE_USAGE, "a host's figures are not waited for")                                                          \
	M(FENCE_COMMIT, "a new version is named before its lines are visible")                                         \
	M(FENCE_MOVE_IN, "a moved row's word is opened before its lines are visible")                                  \
	M(FENCE_GROW, "a grown row's word is released before its lines are visible")                                   \
	M(FLUSH_DIRECTORY, "a fresh look into a directory flushes no line")                                            \
	M(FULL_FENCE_DIRECTORY, "a fresh look into a directory has no full fence after its flushes")                   \
	M(WRITE_BACK_CLEAR, "a directory's cleared slots are not written back")                                        \
	M(WRITE_BACK_ENTER, "an entered slot is not written back")                                                     \
	M(WRITE_BACK_REMOVE, "a removed slot is not written back")                                                     \
	M(FENCE_ROOT, "a directory's root and slots are not waited for")                                               \
	M(WRITE_BACK_GROWN, "a grown row's word is not written back before its old frame is another's")                \
	M(WRITE_BACK_CLAIM, "a claimed extent or block is used before the claim is written back")                      \
	M(WRITE_BACK_MEMBER, "a host's joining is not written back before it holds anything")                          \
	M(WRITE_BACK_LEAF_WORD, "an exported leaf's bumped word is not written back before the seal")                  \
	M(WRITE_BACK_LOCKED, "the locked words of shared rows are not written back before the seal")                   \
	M(FENCE_LOCKED, "the seal does not wait for the write-back of locked words")                                   \
	M(FENCE_SEAL, "rows are written before the redo record is visible")                                            \
	M(WRITE_BACK_INSTALLED, "an installed word is not written back before its redo record is overwritten")         \
	M(SKIP_VALIDATION, "reads are not validated at commit")                                                        \
	M(SKIP_LEAF_VALIDATION, "leaves are not validated at commit")                                                  \
	M(OWN_WRITE_KEY, "a stale slot that leads to a row which this transaction writes is taken for the key's")      \
	M(UNWATCHED_PLACEHOLDER, "a remote placeholder is not watched as a read")                                      \
	M(FENCED_BEGIN, "a transaction begins although its host has just seen that it was declared dead")              \
	M(LOG_SYNC, "a batch of the log counts when it is written, not when it is synced (pwrite)")                    \
	M(LOG_NAME_SYNC, "a segment of the log is used before its name is durable")                                    \
	M(CHECKPOINT_SYNC, "a checkpoint gets its name before its bytes are durable")                                  \
	M(CHECKPOINT_LAST, "a checkpoint counts although not all that is in it is durable in the pod")

enum lg_mutant {
#define LG_MUTANT_ENUM(name, text) LG_MUTANT_##name,
	LG_MUTANT_LIST(LG_MUTANT_ENUM)
#undef LG_MUTANT_ENUM
	        LG_MUTANT_COUNT
};

#ifdef LG_MUTANTS
/* LG_MUTANT_COUNT when LIGER_MUTANT is not set. A name that is not in the list ends the process with a message. */
extern enum lg_mutant lg_mutant_chosen;
#define MUTANT(name) __builtin_expect(lg_mutant_chosen == LG_MUTANT_##name, 0)
#else
#define MUTANT(name) 0
#endif

#endif
