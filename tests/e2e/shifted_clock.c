/* tests/e2e/shifted_clock.c
 *
 * A machine's clock that is wrong, for one process: loaded before all else (LD_PRELOAD), it adds to the wall clock as many
 * seconds as the file says that WM_CLOCK_SHIFT names: eight bytes, mapped, so that a step is there at once. The monotonic
 * clocks are left alone, as the kernel leaves them when somebody sets the time; and a wait until a wall time, which the
 * kernel knows nothing of here, is translated. */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *t);
int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until);

static const volatile int64_t *shift; /* made once, before main */

__attribute__((constructor)) static void map_shift(void)
{
    const char *path = getenv("WM_CLOCK_SHIFT");
    int         fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void       *at = fd >= 0 ? mmap(NULL, sizeof *shift, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

    if (fd >= 0)
        close(fd);
    if (at != MAP_FAILED)
        shift = at;
}

static int64_t seconds(void)
{
    return shift != NULL ? *shift : 0;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    int rv = (int)syscall(SYS_clock_gettime, id, t);

    if (rv == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        t->tv_sec += seconds();
    return rv;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    t->tv_sec = now.tv_sec;
    t->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *ret)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (ret != NULL)
        *ret = now.tv_sec;
    return now.tv_sec;
}

/* Above a thousand million it is no time since the boot. */
int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until)
{
    static int (*next)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    struct timespec real = *until;

    if (next == NULL) {
        void *found =
            dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2"); /* not the one of the LinuxThreads */

        if (found == NULL)
            found = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
        *(void **)&next = found;
    }
    if (real.tv_sec > 1000000000)
        real.tv_sec -= seconds();
    return next(cond, mutex, &real);
}
