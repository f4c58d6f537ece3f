/* tests/disk/inside.h
 *
 * What the files of the remembering disk share. A node is a file or a folder, named by its number for as long as the log
 * lives, whatever its names are. Callers hold the disk's lock where it says so. */
#ifndef WM_TESTS_DISK_INSIDE_H
#define WM_TESTS_DISK_INSIDE_H

#include "tests/disk/disk.h"

#include <pthread.h>

enum { NO_NODE = -1 };

typedef enum op_kind {
    OP_WRITE, /* node: bytes[n] at offset */
    OP_SIZE,  /* node: its size is offset */
    OP_SYNC,  /* node */
    OP_SYNC_FAILED /* node: what was to be made safe is given up */,
    OP_NAME, /* folder: name is target, or nothing if target is NO_NODE; and from, if not NULL, is nothing */
} op_kind;

typedef struct op {
    op_kind  kind;
    int      node; /* for OP_NAME: the folder */
    uint64_t offset;
    uint8_t *bytes; /* owned */
    size_t   n;
    char    *name, *from; /* owned; of the folder */
    int      target;
} op;

typedef struct entry {
    char *name;
    int   node;
} entry;

/* The names in a folder. */
typedef struct entries {
    entry *items;
    size_t n, room;
} entries;

typedef struct disk_node {
    bool     folder;
    char    *path;  /* the first one, for a person */
    uint64_t size;  /* of a file, as the program sees it */
    entries  names; /* of a folder, likewise */
} disk_node;

struct past; /* image.c: the log as far as the last image went */

struct disk {
    char           *root;
    size_t          n_root; /* bytes of it */
    bool            watching;
    pthread_mutex_t lock; /* guards what follows, while it watches */
    op             *ops;
    size_t          n_ops, ops_room;
    disk_node      *nodes; /* [0] is the root */
    size_t          n_nodes, nodes_room;
    disk_fault      fault;
    size_t          counted;
    bool            failed;
    char            failure[200];
    struct past    *past; /* NULL before the first image */
};

/* The one that is watched now; NULL if none is. */
disk *disk_now(void);

/* Is that path one of the watched folder? */
bool disk_has(const disk *d, const char *path);

void disk_lock(disk *d);
void disk_unlock(disk *d);

/* ---- under the lock ---- */

/* The errno with which this operation is to fail, or 0. */
int disk_try(disk *d, unsigned deed, const char *path);

int  disk_find(const disk *d, const char *path);          /* NO_NODE if there is none */
int  disk_create(disk *d, const char *path, bool folder); /* with its name in the log */
void disk_wrote(disk *d, int node, const void *bytes, size_t n, uint64_t offset);
void disk_sized(disk *d, int node, uint64_t size);
void disk_synced(disk *d, int node, bool well);
void disk_renamed(disk *d, const char *from, const char *to);
void disk_removed(disk *d, const char *path);

/* The folder that a path is in. */
int disk_parent(const disk *d, const char *path);

/* ---- image.c, and what it uses ---- */

void disk_forget_past(disk *d);

/* names[name] <- node; NO_NODE takes it away. */
void entries_set(entries *names, const char *name, int node);
int  entries_get(const entries *names, const char *name);
void entries_release(entries *names);

/* ---- vfs.c ---- */

void disk_vfs_begin(void); /* every database that is opened from now on goes through the disk */
void disk_vfs_end(void);

#endif
