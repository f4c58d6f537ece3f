/* tests/disk/disk.c: the log, the names as the program sees them, and the faults. */
#include "tests/disk/inside.h"

#include "tests/unit.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static disk *watched; /* system calls have no place for a context */

disk *disk_now(void)
{
    return watched;
}

static void *grown(void *items, size_t *room, size_t n, size_t size)
{
    if (n < *room)
        return items;
    *room = *room > 0 ? 2 * *room : 64;
    items = realloc(items, *room * size);
    assert_non_null(items);
    return items;
}

static char *copied(const char *text)
{
    char *copy = strdup(text);

    assert_non_null(copy);
    return copy;
}

/* ---- names ---- */

int entries_get(const entries *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->items[i].name, name) == 0)
            return names->items[i].node;
    return NO_NODE;
}

void entries_set(entries *names, const char *name, int to)
{
    size_t i = 0;

    while (i < names->n && strcmp(names->items[i].name, name) != 0)
        i++;
    if (i == names->n && to == NO_NODE)
        return;
    if (to == NO_NODE) {
        free(names->items[i].name);
        names->items[i] = names->items[--names->n];
        return;
    }
    if (i == names->n) {
        names->items = grown(names->items, &names->room, names->n, sizeof *names->items);
        names->items[names->n++] = (entry){ .name = copied(name) };
    }
    names->items[i].node = to;
}

void entries_release(entries *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->items[i].name);
    free(names->items);
    *names = (entries){ 0 };
}

static int new_node(disk *d, bool folder, const char *path)
{
    d->nodes = grown(d->nodes, &d->nodes_room, d->n_nodes, sizeof *d->nodes);
    d->nodes[d->n_nodes] = (disk_node){ .folder = folder, .path = copied(path) };
    return (int)d->n_nodes++;
}

/* A path below the root, without it; "" for the root. */
static const char *below(const disk *d, const char *path)
{
    path += d->n_root;
    while (*path == '/')
        path++;
    return path;
}

bool disk_has(const disk *d, const char *path)
{
    return strncmp(path, d->root, d->n_root) == 0 && (path[d->n_root] == '/' || path[d->n_root] == '\0');
}

/* The node that a path below the root leads to, its last `less` parts left out. */
static int walk(const disk *d, const char *path, bool to_parent)
{
    char        part[256];
    int         at = 0;
    const char *rest = below(d, path);

    while (*rest != '\0' && at != NO_NODE) {
        size_t n = strcspn(rest, "/");
        bool   last = rest[n + strspn(rest + n, "/")] == '\0';

        if (last && to_parent)
            return at;
        assert_true(n < sizeof part);
        memcpy(part, rest, n);
        part[n] = '\0';
        at = entries_get(&d->nodes[at].names, part);
        rest += n + strspn(rest + n, "/");
    }
    return at;
}

int disk_find(const disk *d, const char *path)
{
    return walk(d, path, false);
}

int disk_parent(const disk *d, const char *path)
{
    return walk(d, path, true);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

/* ---- the log ---- */

static void add(disk *d, op one)
{
    d->ops = grown(d->ops, &d->ops_room, d->n_ops, sizeof *d->ops);
    d->ops[d->n_ops++] = one;
}

static void add_name(disk *d, const char *path, int target, const char *from)
{
    int folder = disk_parent(d, path);

    assert_true(folder != NO_NODE);
    add(d, (op){ .kind = OP_NAME,
                 .node = folder,
                 .name = copied(last_part(path)),
                 .from = from != NULL ? copied(from) : NULL,
                 .target = target });
    entries_set(&d->nodes[folder].names, last_part(path), target);
    if (from != NULL)
        entries_set(&d->nodes[folder].names, from, NO_NODE);
}

int disk_create(disk *d, const char *path, bool folder)
{
    int made = new_node(d, folder, below(d, path));

    add_name(d, path, made, NULL);
    return made;
}

void disk_wrote(disk *d, int file, const void *bytes, size_t n, uint64_t offset)
{
    uint8_t *copy = malloc(n + 1);

    assert_non_null(copy);
    memcpy(copy, bytes, n);
    add(d, (op){ .kind = OP_WRITE, .node = file, .offset = offset, .bytes = copy, .n = n });
    if (offset + n > d->nodes[file].size)
        d->nodes[file].size = offset + n;
}

void disk_sized(disk *d, int file, uint64_t size)
{
    add(d, (op){ .kind = OP_SIZE, .node = file, .offset = size });
    d->nodes[file].size = size;
}

void disk_synced(disk *d, int file, bool well)
{
    add(d, (op){ .kind = well ? OP_SYNC : OP_SYNC_FAILED, .node = file });
}

/* Within one folder it is one operation, so that the name is the old file or the new one; our code knows no other. */
void disk_renamed(disk *d, const char *from, const char *to)
{
    int file = disk_find(d, from);

    assert_true(file != NO_NODE && disk_parent(d, from) == disk_parent(d, to));
    add_name(d, to, file, last_part(from));
}

void disk_removed(disk *d, const char *path)
{
    add_name(d, path, NO_NODE, NULL);
}

size_t disk_moment(const disk *d)
{
    return d->n_ops;
}

void disk_tell(const disk *d, size_t moment, char *text, size_t room)
{
    static const char *const deeds[] = { "write", "size", "sync", "failed sync", "name" };
    const op                *one;

    if (moment == 0 || moment > d->n_ops) {
        snprintf(text, room, "nothing yet");
        return;
    }
    one = &d->ops[moment - 1];
    snprintf(text, room, "%s %s", deeds[one->kind], d->nodes[one->node].path);
    if (one->kind == OP_WRITE)
        snprintf(text + strlen(text), room - strlen(text), " %llu+%zu", (unsigned long long)one->offset, one->n);
    if (one->kind == OP_NAME)
        snprintf(text + strlen(text), room - strlen(text), "/%s %s%s", one->name,
                 one->target == NO_NODE ? "removed"
                 : one->from != NULL    ? "from "
                                        : "created",
                 one->from != NULL ? one->from : "");
}

/* ---- faults ---- */

void disk_lock(disk *d)
{
    pthread_mutex_lock(&d->lock);
}

void disk_unlock(disk *d)
{
    pthread_mutex_unlock(&d->lock);
}

static const char *deed_name(unsigned deed)
{
    static const struct {
        unsigned    deed;
        const char *name;
    } names[] = {
        { DISK_OPEN, "open" },     { DISK_READ, "read" },     { DISK_WRITE, "write" },
        { DISK_SYNC, "sync" },     { DISK_RENAME, "rename" }, { DISK_SYNC_NAMES, "sync the folder" },
        { DISK_CREATE, "create" }, { DISK_REMOVE, "remove" },
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].deed == deed)
            return names[i].name;
    return "?";
}

int disk_try(disk *d, unsigned deed, const char *path)
{
    if ((d->fault.deeds & deed) == 0)
        return 0;
    d->counted++;
    if (d->fault.nth == 0 || d->counted < d->fault.nth || (d->counted > d->fault.nth && !d->fault.lasting))
        return 0;
    if (!d->failed)
        snprintf(d->failure, sizeof d->failure, "%s %s (%s)", deed_name(deed), below(d, path),
                 strerror(d->fault.error));
    d->failed = true;
    return d->fault.error;
}

void disk_fail(disk *d, const disk_fault *fault)
{
    disk_lock(d);
    d->fault = *fault;
    d->counted = 0;
    d->failed = false;
    d->failure[0] = '\0';
    disk_unlock(d);
}

size_t disk_heal(disk *d)
{
    size_t counted;

    disk_lock(d);
    counted = d->counted;
    d->fault = (disk_fault){ 0 };
    disk_unlock(d);
    return counted;
}

bool disk_has_failed(const disk *d)
{
    return d->failed;
}

const char *disk_failure(const disk *d)
{
    return d->failure;
}

/* ---- its life ---- */

const char *disk_folder(char text[4096])
{
    struct stat memory;

    if (stat("/dev/shm", &memory) != 0 || !S_ISDIR(memory.st_mode) || access("/dev/shm", W_OK) != 0)
        return wm_test_folder(text);
    snprintf(text, 4096, "/dev/shm/wardmote-test-XXXXXX");
    if (mkdtemp(text) == NULL)
        fail_msg("cannot make %s", text);
    return text;
}

disk *disk_watch(const char *folder)
{
    disk *d = calloc(1, sizeof *d);

    assert_non_null(d);
    assert_null(watched);
    d->root = copied(folder);
    d->n_root = strlen(folder);
    pthread_mutex_init(&d->lock, NULL);
    new_node(d, true, ".");
    d->watching = true;
    watched = d;
    disk_vfs_begin();
    return d;
}

void disk_rest(disk *d)
{
    if (!d->watching)
        return;
    disk_vfs_end();
    d->watching = false;
    watched = NULL;
}

void disk_free(disk *d)
{
    if (d == NULL)
        return;
    disk_rest(d);
    disk_forget_past(d);
    for (size_t i = 0; i < d->n_ops; i++) {
        free(d->ops[i].bytes);
        free(d->ops[i].name);
        free(d->ops[i].from);
    }
    free(d->ops);
    for (size_t i = 0; i < d->n_nodes; i++) {
        free(d->nodes[i].path);
        entries_release(&d->nodes[i].names);
    }
    free(d->nodes);
    free(d->root);
    pthread_mutex_destroy(&d->lock);
    free(d);
}
