/*
 * File descriptors that clients may use, and those that stay for cameras, recordings and control. Every
 * server that accepts connections asks here, so that no number of clients ends a recording with "Too many
 * open files".
 */
#ifndef TF_BASE_DESCRIPTORS_H
#define TF_BASE_DESCRIPTORS_H

#include <stdbool.h>

/*
 * How many descriptors clients may have altogether: the process's limit (RLIMIT_NOFILE) less a quarter of it,
 * which is at least 64 and at most 512. 0 where the limit is below that.
 */
unsigned tf_descriptors_for_clients(void);

/*
 * Whether a client may keep the descriptor that has just been made for it. The kernel gives the lowest free
 * number, so that a number tells how many are in use, whoever has them. Thread-safe, one system call.
 */
bool tf_descriptor_spare(int fd);

#endif
