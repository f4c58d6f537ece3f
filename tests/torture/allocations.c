/* tests/torture/allocations.c
 *
 * The linker sends our objects' calls of malloc() to __wrap_malloc (--wrap), and leaves the shared libraries' alone. A
 * block of ours may be freed by a library all the same (protobuf-c frees messages that we made), so free() is replaced
 * for the whole process: by a function of the program, which comes before libc's; under AddressSanitizer, which has
 * done that before us, by its hook. */
#include "tests/torture/allocations.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif

/* ---- which one fails ---- */

static struct {
    _Atomic uint64_t count, fail_at;
    atomic_bool      failed;
    _Atomic(void *)  where;

    /* Of a whole program: one in `every` fails, from the `after`-th on; every 0: none. */
    uint64_t         every, after;
    _Atomic uint64_t times;
} plan;

/* One in `every`, spread as by dice, which are the same each time. */
static bool is_hit(uint64_t number)
{
    uint64_t dice = number * UINT64_C(0x9e3779b97f4a7c15);

    return plan.every > 0 && number > plan.after && (dice >> 32) % plan.every == 0;
}

bool torture_must_fail(void *caller)
{
    uint64_t number = atomic_fetch_add(&plan.count, 1) + 1;

    if (is_hit(number)) {
        atomic_fetch_add(&plan.times, 1);
        errno = ENOMEM;
        return true;
    }
    if (number != atomic_load(&plan.fail_at))
        return false;
    atomic_store(&plan.where, caller);
    atomic_store(&plan.failed, true);
    errno = ENOMEM;
    return true;
}

__attribute__((constructor)) static void begin_program(void)
{
    const char *every = getenv("WM_TORTURE_EVERY"), *after = getenv("WM_TORTURE_AFTER");

    plan.every = every != NULL ? strtoull(every, NULL, 10) : 0;
    plan.after = after != NULL ? strtoull(after, NULL, 10) : 0;
}

__attribute__((destructor)) static void end_program(void)
{
    if (plan.every > 0)
        fprintf(stderr, "memory ran out %llu times of %llu allocations\n",
                (unsigned long long)atomic_load(&plan.times), (unsigned long long)atomic_load(&plan.count));
}

/* ---- what is held ---- */

enum { SLOTS = 1 << 19 };

/* Open addressing, linear probing; a block's number is what the count was. */
static struct {
    atomic_flag busy;
    struct {
        void    *block, *caller;
        uint64_t number;
    } slots[SLOTS];
    _Atomic uint64_t live;
} held;

static void take_lock(void)
{
    while (atomic_flag_test_and_set_explicit(&held.busy, memory_order_acquire))
        ;
}

static void give_lock(void)
{
    atomic_flag_clear_explicit(&held.busy, memory_order_release);
}

static size_t home_of(const void *block)
{
    return (size_t)(((uintptr_t)block >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 45) & (SLOTS - 1);
}

static void hold(void *block, void *caller)
{
    size_t at = home_of(block);

    if (block == NULL)
        return;
    take_lock();
    while (held.slots[at].block != NULL && held.slots[at].block != block)
        at = (at + 1) & (SLOTS - 1);
    if (held.slots[at].block == NULL)
        atomic_fetch_add(&held.live, 1);
    held.slots[at].block = block;
    held.slots[at].caller = caller;
    held.slots[at].number = atomic_load(&plan.count);
    if (atomic_load(&held.live) > SLOTS / 2)
        abort();
    give_lock();
}

/* The chain behind the hole moves up, so that probing finds it. */
static void close_hole(size_t hole)
{
    for (size_t at = (hole + 1) & (SLOTS - 1); held.slots[at].block != NULL; at = (at + 1) & (SLOTS - 1)) {
        size_t home = home_of(held.slots[at].block);

        if (((at - home) & (SLOTS - 1)) >= ((at - hole) & (SLOTS - 1))) {
            held.slots[hole] = held.slots[at];
            hole = at;
        }
    }
    held.slots[hole].block = NULL;
}

static void let_go(const void *block)
{
    size_t at = home_of(block);

    if (block == NULL || atomic_load(&held.live) == 0)
        return;
    take_lock();
    while (held.slots[at].block != NULL && held.slots[at].block != block)
        at = (at + 1) & (SLOTS - 1);
    if (held.slots[at].block != NULL) {
        close_hole(at);
        atomic_fetch_sub(&held.live, 1);
    }
    give_lock();
}

#ifdef HAS_ASAN
int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void *, size_t),
                                              void (*free_hook)(const volatile void *));

static void on_malloc(const volatile void *block, size_t n)
{
    (void)block;
    (void)n;
}

static void on_free(const volatile void *block)
{
    let_go((const void *)(uintptr_t)block);
}

__attribute__((constructor)) static void install_hooks(void)
{
    (void)__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
}
#else
void __libc_free(void *block);

void free(void *block)
{
    let_go(block);
    __libc_free(block);
}
#endif

/* ---- the seam ---- */

#define CALLER __builtin_return_address(0)

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t n);
void *__real_reallocarray(void *block, size_t n, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t n);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t n);
char *__real_realpath(const char *path, char *room);
DIR  *__real_opendir(const char *path);
FILE *__real_fopen(const char *path, const char *mode);
int   __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *context);

void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *block, size_t n);
void *__wrap_reallocarray(void *block, size_t n, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t n);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t n);
int   __wrap_asprintf(char **ret, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *__wrap_realpath(const char *path, char *room);
DIR  *__wrap_opendir(const char *path);
FILE *__wrap_fopen(const char *path, const char *mode);
int   __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *context);

static void *held_from_now(void *block, void *caller)
{
    hold(block, caller);
    return block;
}

void *__wrap_malloc(size_t n)
{
    return torture_must_fail(CALLER) ? NULL : held_from_now(__real_malloc(n), CALLER);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return torture_must_fail(CALLER) ? NULL : held_from_now(__real_calloc(n, size), CALLER);
}

/* Let go of first: another thread may get the old place at once. */
static void *grow(void *block, size_t n, void *caller)
{
    void *grown;

    if (torture_must_fail(caller))
        return NULL;
    let_go(block);
    grown = __real_realloc(block, n);
    hold(grown != NULL ? grown : block, caller);
    return grown;
}

void *__wrap_realloc(void *block, size_t n)
{
    return grow(block, n, CALLER);
}

void *__wrap_reallocarray(void *block, size_t n, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(n, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return grow(block, bytes, CALLER);
}

void *__wrap_aligned_alloc(size_t alignment, size_t n)
{
    return torture_must_fail(CALLER) ? NULL : held_from_now(__real_aligned_alloc(alignment, n), CALLER);
}

char *__wrap_strdup(const char *text)
{
    return torture_must_fail(CALLER) ? NULL : held_from_now(__real_strdup(text), CALLER);
}

char *__wrap_strndup(const char *text, size_t n)
{
    return torture_must_fail(CALLER) ? NULL : held_from_now(__real_strndup(text, n), CALLER);
}

int __wrap_asprintf(char **ret, const char *format, ...)
{
    va_list arguments;
    int     n;

    if (torture_must_fail(CALLER)) {
        *ret = (char *)1; /* "undefined", says the manual: whoever looks at it falls over */
        return -1;
    }
    va_start(arguments, format);
    n = vasprintf(ret, format, arguments);
    va_end(arguments);
    if (n >= 0)
        hold(*ret, CALLER);
    return n;
}

char *__wrap_realpath(const char *path, char *room)
{
    char *resolved = torture_must_fail(CALLER) ? NULL : __real_realpath(path, room);

    return room == NULL ? held_from_now(resolved, CALLER) : resolved;
}

/* Their blocks are libc's own, and freed within it. */
DIR *__wrap_opendir(const char *path)
{
    return torture_must_fail(CALLER) ? NULL : __real_opendir(path);
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
    return torture_must_fail(CALLER) ? NULL : __real_fopen(path, mode);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *context)
{
    return torture_must_fail(CALLER) ? EAGAIN : __real_pthread_create(thread, attr, run, context);
}

/* ---- what the test asks ---- */

void torture_arm(uint64_t fail_at)
{
    atomic_store(&plan.failed, false);
    atomic_store(&plan.count, 0);
    atomic_store(&plan.fail_at, fail_at);
}

uint64_t torture_disarm(void)
{
    atomic_store(&plan.fail_at, 0);
    return atomic_load(&plan.count);
}

bool torture_has_failed(void)
{
    return atomic_load(&plan.failed);
}

/* As addr2line wants it: the program is loaded anywhere. */
static void say_place(void *caller, char *text, size_t room)
{
    Dl_info info = { .dli_fbase = NULL };

    dladdr(caller, &info);
    snprintf(text, room, "%#zx", (size_t)((char *)caller - (char *)info.dli_fbase) - 1);
}

void torture_failed_at(char *text, size_t room)
{
    say_place(atomic_load(&plan.where), text, room);
}

uint64_t torture_live(void)
{
    return atomic_load(&held.live);
}

void torture_tell_live(unsigned most)
{
    char place[32];

    for (size_t i = 0; i < SLOTS && most > 0; i++) {
        if (held.slots[i].block == NULL || held.slots[i].number == 0)
            continue;
        say_place(held.slots[i].caller, place, sizeof place);
        printf("#   still held: allocation %llu, made at %s\n", (unsigned long long)held.slots[i].number, place);
        most--;
    }
}
