/* log_io_private.h: what the two ways of writing share. */
#ifndef LIGER_RECOVERY_LOG_IO_PRIVATE_H
#define LIGER_RECOVERY_LOG_IO_PRIVATE_H

#include "recovery/log_io.h"

/* Everything but start(), finish(), register_buffers() and destroy(). */
extern const struct log_io_ops log_io_file_ops;

/* NULL, and why in *error (negative), where io_uring is not there or not allowed. */
struct log_io *log_io_uring_open(int *error);

#endif
