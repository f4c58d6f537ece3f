/* tests/e2e/namespaces.c: by the calls that `ip` makes, which not every machine has. Each namespace has one wire, so all of them
 * have one name. */
#include "tests/e2e/namespaces.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char wire[] = "wire";

/* ---- namespaces ---- */

static bool write_file(const char *path, const char *text)
{
    int  fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return ok;
}

bool namespace_leave(void)
{
    return unshare(CLONE_NEWNET) == 0;
}

/* As nobody special, first into a user namespace where one is root. */
bool namespace_leave_the_machine(void)
{
    char  map[64];
    uid_t user = geteuid();
    gid_t group = getegid();

    if (user == 0)
        return namespace_leave();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0 || !write_file("/proc/self/setgroups", "deny"))
        return false;
    snprintf(map, sizeof map, "0 %u 1", (unsigned)user);
    if (!write_file("/proc/self/uid_map", map))
        return false;
    snprintf(map, sizeof map, "0 %u 1", (unsigned)group);
    return write_file("/proc/self/gid_map", map);
}

int namespace_present(void)
{
    return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

void namespace_enter(int namespace)
{
    if (setns(namespace, CLONE_NEWNET) != 0)
        abort();
}

/* ---- wires ---- */

static bool set_address(int fd, uint32_t address)
{
    struct ifreq        r = { 0 };
    struct sockaddr_in *at = (struct sockaddr_in *)(void *)&r.ifr_addr;

    strcpy(r.ifr_name, wire);
    at->sin_family = AF_INET;
    at->sin_addr.s_addr = htonl(address);
    if (ioctl(fd, SIOCSIFADDR, &r) != 0)
        return false;
    at->sin_addr.s_addr = htonl(0xffff0000);
    return ioctl(fd, SIOCSIFNETMASK, &r) == 0;
}

static bool bring_up(int fd, const char *name)
{
    struct ifreq r = { 0 };

    strncpy(r.ifr_name, name, sizeof r.ifr_name - 1);
    r.ifr_flags = IFF_UP | IFF_RUNNING;
    return ioctl(fd, SIOCSIFFLAGS, &r) == 0;
}

int wire_open(uint32_t address)
{
    struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI };
    int          fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    int          control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool         ok;

    strcpy(r.ifr_name, wire);
    ok = fd >= 0 && control >= 0 && ioctl(fd, TUNSETIFF, &r) == 0 && bring_up(control, "lo") &&
         set_address(control, address) && bring_up(control, wire);
    if (control >= 0)
        close(control);
    if (!ok && fd >= 0)
        close(fd);
    return ok ? fd : -1;
}

bool wire_move(uint32_t address)
{
    int  control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ok = control >= 0 && set_address(control, address);

    if (control >= 0)
        close(control);
    return ok;
}
