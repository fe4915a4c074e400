/* Which network an address is of, without netlink: an ioctl for IPv4, a file of the kernel's for IPv6. */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "publish/net/announce_net.h"

#define INTERFACES_MAX 128

static int of_ipv4(struct in_addr address)
{
    struct ifreq at[INTERFACES_MAX];
    struct ifconf list = {.ifc_len = sizeof(at), .ifc_req = at};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), found = 0;

    if (fd < 0)
        return 0;
    if (ioctl(fd, SIOCGIFCONF, &list) < 0)
        list.ifc_len = 0;
    close(fd);
    for (size_t i = 0; i < (size_t)list.ifc_len / sizeof(at[0]) && !found; i++) {
        struct sockaddr_in own;

        memcpy(&own, &at[i].ifr_addr, sizeof(own));
        /* A second address of an interface has a label: eth0:1. */
        at[i].ifr_name[strcspn(at[i].ifr_name, ":")] = 0;
        if (own.sin_family == AF_INET && own.sin_addr.s_addr == address.s_addr)
            found = (int)if_nametoindex(at[i].ifr_name);
    }
    return found;
}

/* Lines of: address in hex, number of the interface, length of the prefix, scope, flags, name. */
static int of_ipv6(const struct in6_addr *address)
{
    FILE *file = fopen("/proc/net/if_inet6", "re");
    char want[33], line[256], hex[33];
    unsigned number;
    int found = 0;

    if (!file)
        return 0;
    for (int i = 0; i < 16; i++)
        snprintf(want + 2 * i, 3, "%02x", address->s6_addr[i]);
    while (!found && fgets(line, sizeof(line), file))
        if (sscanf(line, "%32s %x", hex, &number) == 2 && strcmp(hex, want) == 0)
            found = (int)number;
    fclose(file);
    return found;
}

int tf_announce_interface(const char *address, int *family)
{
    struct in_addr four;
    struct in6_addr six;

    *family = AF_UNSPEC;
    if (inet_pton(AF_INET, address, &four) == 1) {
        *family = AF_INET;
        return of_ipv4(four);
    }
    if (inet_pton(AF_INET6, address, &six) != 1)
        return 0;
    *family = AF_INET6;
    return of_ipv6(&six);
}
