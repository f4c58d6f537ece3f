/* tests/disk/test_failing_store.c
 *
 * Each operation on the aggregator's disk fails, one after the other: once, or from then on until the disk is mended. What
 * fails says so in a sentence, nothing is lost, and the run goes on to the same model. Then the power goes, and what was
 * promised has to be there: a sync that failed may not be taken for one that was done. WM_FAULT=n does the nth alone. */
#include "tests/disk/images.h"
#include "tests/disk/life.h"
#include "tests/figures.h"
#include "tests/unit.h"

#include "common/files.h"

#include <errno.h>

static const struct {
    const char *says;
    unsigned    deeds;
    int         error;
    bool        lasting;
    size_t      stride; /* in the short form only every so-manieth of them fails */
} cases[] = {
    { "an input/output error at a change", DISK_CHANGES, EIO, false, 7 },
    { "an input/output error at a read", DISK_READ | DISK_OPEN, EIO, false, 8 },
    { "a full disk", DISK_WRITE | DISK_CREATE, ENOSPC, true, 16 },
    { "a disk that has become read-only", DISK_CHANGES & ~(unsigned)DISK_SYNC, EROFS, true, 16 },
    { "a disk on which nothing can be synced", DISK_SYNC | DISK_SYNC_NAMES, EIO, true, 8 },
};

/* False if there is no nth operation of that kind. */
static bool one_fault(size_t c, size_t nth)
{
    char       folder[4096], place[4096], image[4200];
    disk_fault fault = { cases[c].deeds, nth, cases[c].error, cases[c].lasting };
    bool       failed;
    life       l;
    disk      *d;
    wm_error   err;

    world_seed_in_work = nth;
    life_init(&l, 7);
    d = disk_watch(disk_folder(folder));
    images_case("%s, WM_FAULT=%zu", cases[c].says, nth);
    disk_fail(d, &fault);
    life_live(&l, folder, d);
    failed = disk_has_failed(d);
    if (failed)
        images_case("%s, WM_FAULT=%zu (%s), and then the power", cases[c].says, nth, disk_failure(d));
    disk_rest(d);
    snprintf(image, sizeof image, "%s/image", disk_folder(place));
    for (uint64_t seed = 0; failed && seed < 4; seed++) {
        disk_image(d, disk_moment(d), seed, image);
        life_check(&l, image, disk_moment(d));
        assert_ok(wm_folder_remove(image, &err), &err);
    }
    disk_free(d);
    life_release(&l);
    assert_ok(wm_folder_remove(folder, &err), &err);
    assert_ok(wm_folder_remove(place, &err), &err);
    return failed;
}

static uint64_t every_fault(size_t c)
{
    const char *only = getenv("WM_FAULT");
    bool        whole = getenv("WM_WHOLE") != NULL;
    size_t      stride = whole ? 1 : cases[c].stride, nth = 1;
    uint64_t    tries = 0;

    if (only != NULL)
        return one_fault(c, (size_t)strtoull(only, NULL, 10));
    while (one_fault(c, nth)) {
        tries++;
        nth += stride;
    }
    return tries;
}

static void whatever_operation_fails_nothing_is_lost_and_the_run_goes_on(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        uint64_t tries = every_fault(c);

        assert_case(cases[c].says, tries > 0);
        tell_fault(&(fault_figure){ .fault = cases[c].says, .tries = tries, .survived = tries, .seconds = -1 });
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_operation_fails_nothing_is_lost_and_the_run_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
