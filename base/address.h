/* Network addresses as people write them. */
#ifndef TF_BASE_ADDRESS_H
#define TF_BASE_ADDRESS_H

#include <stdbool.h>

/* Whether an address is of the loopback interface (127.0.0.0/8, ::1, localhost). No name is looked up. */
bool tf_address_is_loopback(const char *address);

#endif
