/* tests/disk/disk.h
 *
 * A disk that remembers what was done to it, that can fail, and that can lose its power.
 *
 * While a folder is watched, whatever this process does to the files in it still happens in the real file system, and
 * goes into a log as well: our own code's calls of libc, which the linker leads through syscalls.c (--wrap), and SQLite's,
 * through a VFS that stands in front of its own (vfs.c). So it is the real code that is watched, below every seam of it,
 * and a sync that it forgets is missing in the log.
 *
 * Two things can be done with that:
 * - Power: disk_image() makes, for any moment of the log, a folder as a power cut at that moment might have left it. What
 *   was synced is there. Of what was not, any part is: writes dropped, torn at sectors of 512 bytes, out of order, a size
 *   without its bytes (zeros, or garbage), a name without its file, a rename that did not happen, a removed file that is
 *   back. A file's bytes are safe once the file is synced, its name once its folder is; POSIX promises no more.
 * - Faults: disk_fail() lets the nth operation of a kind fail, once or from then on. After the sync of a file failed,
 *   what it was to make safe stays unsafe whatever is synced later, unless it is written again, as in Linux; names wait
 *   for the next sync of their folder.
 *
 * One folder at a time in a process, as a process has one set of system calls; threads may use it. Whatever goes wrong
 * in here itself fails the test. */
#ifndef WM_TESTS_DISK_H
#define WM_TESTS_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct disk disk;

/* Begins to watch `folder`, which is empty; SQLite's files that are opened from now on are watched too. */
disk *disk_watch(const char *folder);

/* Ends the watching; the log stays for disk_image(). No database in the folder is open any more. */
void disk_rest(disk *d);
void disk_free(disk *d); /* rests first, if need be; NULL is fine */

/* ---- power ---- */

/* How many operations are in the log: the moment now. A promise that the program made now holds in every image of this
 * moment and of later ones. */
size_t disk_moment(const disk *d);

/* In `to`, which is not there or empty: what a power cut after the first `moment` operations left, where `seed` decides
 * what of the unsynced. Images of rising moments are quicker to make than of falling ones. */
void disk_image(disk *d, size_t moment, uint64_t seed, const char *to);

/* The same of a machine that was only switched off: with all that was done. */
void disk_image_whole(disk *d, size_t moment, const char *to);

/* What was done at a moment, for a person: "write store.db-wal 4096+512". */
void disk_tell(const disk *d, size_t moment, char *text, size_t room);

/* ---- faults ---- */

/* What can fail, as bits. */
enum {
    DISK_OPEN = 1, /* of a file that is there, or of a folder */
    DISK_READ = 2,
    DISK_WRITE = 4,       /* and what gives a file its size; half of the bytes are written nevertheless */
    DISK_SYNC = 8,        /* of a file */
    DISK_SYNC_NAMES = 16, /* of a folder */
    DISK_CREATE = 32,     /* a new file or folder */
    DISK_RENAME = 64,
    DISK_REMOVE = 128,
    DISK_CHANGES = DISK_WRITE | DISK_SYNC | DISK_SYNC_NAMES | DISK_CREATE | DISK_RENAME | DISK_REMOVE,
    DISK_ALL = DISK_CHANGES | DISK_OPEN | DISK_READ,
};

typedef struct disk_fault {
    unsigned deeds;   /* which operations count */
    size_t   nth;     /* the nth of them from now on, from 1; 0: none, which only counts */
    int      error;   /* EIO, ENOSPC, EROFS */
    bool     lasting; /* and all after it, until disk_heal() */
} disk_fault;

void   disk_fail(disk *d, const disk_fault *fault);
size_t disk_heal(disk *d);             /* how many operations counted since disk_fail() */
bool   disk_has_failed(const disk *d); /* since disk_fail() */

/* What failed first, for a person: "sync blobs". */
const char *disk_failure(const disk *d);

/* A folder for a watched disk or for images: in memory where the system has such a place. Removed by the test. */
const char *disk_folder(char text[4096]);

#endif
