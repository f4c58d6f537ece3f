/* tests/disk/image.c
 *
 * What a power cut might have left. The log is followed up to the moment: for each file the bytes that are safe, and the
 * writes since its last sync; for each folder the names that are safe, and what happened to names since. Then a folder is
 * written with all that is safe and a part of the rest, by one of several temperaments of disks (temper); which
 * part, is rolled from the seed. Writes of one file are applied in their order, each of their sectors or not: as a cache
 * that writes back any page at any time would, which holds of each sector but the newest bytes. */
#include "tests/disk/inside.h"

#include "common/rng.h"
#include "tests/unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512 };

/* A file's or a folder's safe part, and the numbers of the operations that came since. */
typedef struct state {
    uint8_t *bytes;
    size_t   n, room;
    entries  names;
    size_t  *since;
    size_t   n_since, since_room;
} state;

struct past {
    size_t moment;
    state *states; /* by node */
    size_t n;
};

/* What a disk does with what was not synced. */
typedef enum temper {
    DROPS_ALL,
    KEEPS_ALL,
    KEEPS_ORDER, /* up to some operation, of which it has a part */
    KEEPS_SOME,  /* operations */
    TEARS,       /* any sectors of any writes, any names */
    NAMES_FIRST, /* names and sizes, no bytes */
    BYTES_FIRST, /* no names */
} temper;

typedef struct choice {
    disk  *d;
    wm_rng rng;
    temper temper;
    size_t last;      /* of KEEPS_ORDER: operations below it are whole, this one is torn */
    bool   garbage;   /* a lost sector of a file that has grown has garbage in it, not zeros */
    bool   full_size; /* a file has the size that it was given, even where its bytes are lost */
} choice;

/* ---- following the log ---- */

static void reserve(state *s, size_t n)
{
    if (n <= s->room)
        return;
    s->room = 2 * n;
    s->bytes = realloc(s->bytes, s->room);
    assert_non_null(s->bytes);
}

/* To n bytes; new ones are zero, or garbage. */
static void resize(state *s, size_t n, wm_rng *garbage)
{
    reserve(s, n + 1);
    for (size_t i = s->n; i < n; i++)
        s->bytes[i] = garbage != NULL ? (uint8_t)wm_rng_next(garbage) : 0;
    s->n = n;
}

static void apply_whole(state *s, const op *one)
{
    switch (one->kind) {
    case OP_WRITE:
        if (one->offset + one->n > s->n)
            resize(s, one->offset + one->n, NULL);
        memcpy(s->bytes + one->offset, one->bytes, one->n);
        break;
    case OP_SIZE:
        resize(s, one->offset, NULL);
        break;
    case OP_NAME:
        entries_set(&s->names, one->name, one->target);
        if (one->from != NULL)
            entries_set(&s->names, one->from, NO_NODE);
        break;
    default:
        break;
    }
}

/* A sync that fails has written some of it (which, follows from the numbers), and has given up the rest for good. Names
 * are not given up: a file system keeps them until its journal has them. */
static void make_safe(const disk *d, state *s, bool well)
{
    for (size_t i = 0; i < s->n_since; i++)
        if (well || s->since[i] * 2654435761u >> 7 & 1)
            apply_whole(s, &d->ops[s->since[i]]);
    s->n_since = 0;
}

static void follow(const disk *d, struct past *past, size_t number)
{
    const op *one = &d->ops[number];
    state    *s = &past->states[one->node];

    if (one->kind == OP_SYNC || (one->kind == OP_SYNC_FAILED && !d->nodes[one->node].folder))
        make_safe(d, s, one->kind == OP_SYNC);
    if (one->kind == OP_SYNC || one->kind == OP_SYNC_FAILED)
        return;
    if (s->n_since == s->since_room) {
        s->since_room = s->since_room > 0 ? 2 * s->since_room : 16;
        s->since = realloc(s->since, s->since_room * sizeof *s->since);
        assert_non_null(s->since);
    }
    s->since[s->n_since++] = number;
}

void disk_forget_past(disk *d)
{
    if (d->past == NULL)
        return;
    for (size_t i = 0; i < d->past->n; i++) {
        free(d->past->states[i].bytes);
        free(d->past->states[i].since);
        entries_release(&d->past->states[i].names);
    }
    free(d->past->states);
    free(d->past);
    d->past = NULL;
}

static void go_to(disk *d, size_t moment)
{
    if (d->past != NULL && (d->past->moment > moment || d->past->n < d->n_nodes))
        disk_forget_past(d);
    if (d->past == NULL) {
        d->past = calloc(1, sizeof *d->past);
        assert_non_null(d->past);
        d->past->n = d->n_nodes;
        d->past->states = calloc(d->n_nodes, sizeof *d->past->states);
        assert_non_null(d->past->states);
    }
    while (d->past->moment < moment)
        follow(d, d->past, d->past->moment++);
}

/* ---- choosing ---- */

static temper roll_temper(wm_rng *rng)
{
    static const temper tempers[] = { DROPS_ALL,   DROPS_ALL,  KEEPS_ALL,   KEEPS_ORDER, KEEPS_ORDER,
                                      KEEPS_ORDER, KEEPS_SOME, KEEPS_SOME,  TEARS,       TEARS,
                                      TEARS,       TEARS,      NAMES_FIRST, BYTES_FIRST };

    return tempers[wm_rng_below(rng, sizeof tempers / sizeof *tempers)];
}

/* Is this operation on a name, or this whole write, on the disk? */
static bool is_left(choice *c, size_t number)
{
    bool name = c->d->ops[number].kind == OP_NAME;

    switch (c->temper) {
    case KEEPS_ALL:
        return true;
    case KEEPS_ORDER:
        return number < c->last || (number == c->last && wm_rng_below(&c->rng, 2) == 0);
    case KEEPS_SOME:
    case TEARS:
        return wm_rng_below(&c->rng, 2) == 0;
    case NAMES_FIRST:
        return name;
    case BYTES_FIRST:
        return !name;
    default:
        return false;
    }
}

/* Sector by sector; what is lost beyond the old end is a hole. */
static void apply_torn(choice *c, state *s, const op *one, bool whole)
{
    size_t  end = one->offset + one->n;
    wm_rng *garbage = c->garbage ? &c->rng : NULL;

    if (c->full_size && end > s->n)
        resize(s, end, garbage);
    for (size_t at = one->offset, next; at < end; at = next) {
        next = (at / SECTOR + 1) * SECTOR < end ? (at / SECTOR + 1) * SECTOR : end;
        if (!whole && wm_rng_below(&c->rng, 2) == 0)
            continue;
        if (next > s->n)
            resize(s, next, garbage);
        memcpy(s->bytes + at, one->bytes + (at - one->offset), next - at);
    }
}

static void apply_left(choice *c, state *s, size_t number)
{
    const op *one = &c->d->ops[number];
    bool      left = is_left(c, number);
    bool torn = one->kind == OP_WRITE && (c->temper == TEARS || (c->temper == KEEPS_ORDER && number == c->last));

    if (torn)
        apply_torn(c, s, one, false);
    else if (left && one->kind == OP_WRITE)
        apply_torn(c, s, one, true);
    else if (left)
        apply_whole(s, one);
    else if (one->kind == OP_WRITE && c->full_size && one->offset + one->n > s->n)
        resize(s, one->offset + one->n, c->garbage ? &c->rng : NULL);
}

/* A node as it is left, in a copy. */
static state left_of(choice *c, int number)
{
    const state *safe = &c->d->past->states[number];
    state        s = { 0 };

    resize(&s, safe->n, NULL);
    if (safe->n > 0)
        memcpy(s.bytes, safe->bytes, safe->n);
    for (size_t i = 0; i < safe->names.n; i++)
        entries_set(&s.names, safe->names.items[i].name, safe->names.items[i].node);
    for (size_t i = 0; i < safe->n_since; i++)
        apply_left(c, &s, safe->since[i]);
    return s;
}

/* ---- writing ---- */

static void write_file(const state *s, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    for (size_t at = 0; at < s->n;) {
        ssize_t done = write(fd, s->bytes + at, s->n - at);

        assert_true(done > 0);
        at += (size_t)done;
    }
    close(fd);
}

static void write_node(choice *c, int number, const char *path)
{
    state s = left_of(c, number);
    char  below[4096];

    if (!c->d->nodes[number].folder) {
        write_file(&s, path);
    } else {
        (void)mkdir(path, 0700);
        for (size_t i = 0; i < s.names.n; i++) {
            assert_true((size_t)snprintf(below, sizeof below, "%s/%s", path, s.names.items[i].name) < sizeof below);
            write_node(c, s.names.items[i].node, below);
        }
    }
    free(s.bytes);
    entries_release(&s.names);
}

void disk_image(disk *d, size_t moment, uint64_t seed, const char *to)
{
    choice c = { .d = d };

    assert_true(moment <= d->n_ops);
    go_to(d, moment);
    wm_rng_init_keyed(&c.rng, seed, "power", moment, "");
    c.temper = roll_temper(&c.rng);
    c.garbage = wm_rng_below(&c.rng, 3) == 0;
    c.full_size = c.temper == NAMES_FIRST || wm_rng_below(&c.rng, 2) == 0;
    /* Of the last operations: those long ago have been synced. */
    c.last = moment - wm_rng_below(&c.rng, (moment < 64 ? moment : 64) + 1);
    write_node(&c, 0, to);
}

void disk_image_whole(disk *d, size_t moment, const char *to)
{
    choice c = { .d = d, .temper = KEEPS_ALL };

    assert_true(moment <= d->n_ops);
    go_to(d, moment);
    write_node(&c, 0, to);
}
