/* crash_point.h: moments at which a host may be killed on purpose, to see what it leaves.
 *
 * In a build with -DLG_MUTANTS (`make check-crash-points`), crash_point_arm() names one point and how many visits it lets
 * pass; the next visit is the process's last (SIGKILL, with whatever its caches held). In every other build the points are
 * nothing. Whoever adds a step that leaves something in the pod adds a point here; docs/durability.md says of each what is left
 * and who mends it, and a test compares the two lists.
 */
#ifndef LIGER_CXL_CRASH_POINT_H
#define LIGER_CXL_CRASH_POINT_H

#include <stdbool.h>
#include <stdint.h>

#define LG_CRASH_POINT_LIST(P)                                                                                         \
	P(AFTER_INTENT, "a shared row's intent was taken")                                                             \
	P(MID_LOCK, "some intents of a commit are locks, some not yet")                                                \
	P(AFTER_LOCK, "all rows of a commit are locked")                                                               \
	P(BEFORE_SEAL, "validated; not a line of the redo record is written")                                          \
	P(MID_SEAL, "some lines of the redo record are written")                                                       \
	P(AFTER_APPEND, "all lines of the redo record are written, no fence yet")                                      \
	P(AFTER_SEAL, "sealed; not a byte of a row is written")                                                        \
	P(MID_FRAME, "some lines of a frame are written")                                                              \
	P(AFTER_FRAMES, "all frames are written, no word names them yet")                                              \
	P(BETWEEN_WORDS, "some words of a commit are released, some not yet")                                          \
	P(MID_MOVE_IN, "a row's frame is written and in the directory, its word is not open yet")                      \
	P(AFTER_MOVE_IN, "a row's word is open, its owner still has it as local")                                      \
	P(MID_MOVE_OUT, "a shared row is locked by its owner, and copied back")                                        \
	P(AFTER_RETIRE, "a word is retired, the row not local again")                                                  \
	P(MID_GROW, "a larger frame is written, the word does not name its version yet")                               \
	P(MID_DIRECTORY, "a larger directory is written, its root not yet")                                            \
	P(AFTER_CLAIM, "an extent or word block was claimed from the pod")                                             \
	P(LOG_SUBMIT, "a batch of the log is gathered, not a byte of it written")                                      \
	P(LOG_WRITTEN, "a batch of the log is being written, or written and not known durable")                        \
	P(REBUILT, "a host that comes back has rebuilt its rows, and is not live yet")                                 \
	P(IN_CATALOG, "the catalog's lock is held, the table not counted yet")                                         \
	P(RECOVERY_CLAIMED, "a dead host is claimed, nothing of it recovered")                                         \
	P(RECOVERY_MID_REDO, "a row of a dead host's commit is written, its word not released")                        \
	P(RECOVERY_REDONE, "a dead host's commits are finished, its other locks not freed")                            \
	P(RECOVERY_FREED, "all is free, the host not called dead yet")                                                 \
	P(CHECKPOINT_WRITTEN, "a checkpoint is written, and not durable yet")                                          \
	P(CHECKPOINT_SYNCED, "a checkpoint is durable, and has no name of the sequence yet")                           \
	P(CHECKPOINT_RENAMED, "a checkpoint has its name, the directory is not durable yet")                           \
	P(LOG_RECYCLE, "what segments of the log alone knew is said again, they are about to go")                      \
	P(ADOPTION_CLAIMED, "a dead host's partitions are being adopted, nothing is done yet")                         \
	P(MID_ADOPTION, "some partitions of a dead host are the adopter's, some not yet")                              \
	P(ADOPTED, "all partitions of a dead host are the adopter's, which is not logged yet")

enum crash_point {
#define LG_CRASH_POINT_ENUM(name, text) CRASH_##name,
	LG_CRASH_POINT_LIST(LG_CRASH_POINT_ENUM)
#undef LG_CRASH_POINT_ENUM
	        CRASH_POINT_COUNT
};

#ifdef LG_MUTANTS
/* From now on: the visit of `point` after `pass` others is the end. CRASH_POINT_COUNT: none is. */
void crash_point_arm(enum crash_point point, uint64_t pass);
const char *crash_point_name(enum crash_point point);
void crash_point_visit(enum crash_point point);
#define CRASH_POINT(name) crash_point_visit(CRASH_##name)
#else
#define CRASH_POINT(name) ((void)0)
#endif

#endif
