/* Inside of announcements: which network an address is of. */
#ifndef TF_PUBLISH_NET_ANNOUNCE_NET_H
#define TF_PUBLISH_NET_ANNOUNCE_NET_H

/*
 * The number of the interface that has this address (a literal); 0: it is of none, or stands for all of them.
 * *family becomes AF_INET, AF_INET6, or AF_UNSPEC where the text is no address. Needs no netlink, which the
 * service's unit forbids.
 */
int tf_announce_interface(const char *address, int *family);

#endif
