/* tests/disk/test_power_store.c
 *
 * The aggregator's store loses its power at every operation on its disk, while a whole run goes by. */
#include "tests/disk/images.h"
#include "tests/disk/life.h"
#include "tests/unit.h"

#include "common/files.h"

static void check(void *context, const char *image, size_t moment)
{
    life_check(context, image, moment);
}

static void no_power_cut_loses_or_halves_what_the_store_has_promised(void **state)
{
    char     folder[4096];
    life     l;
    disk    *d = disk_watch(disk_folder(folder));
    wm_error err;

    (void)state;
    life_init(&l, 7);
    life_live(&l, folder, d);
    images_look(d, "power lost at any operation of the aggregator's disk", 500, check, &l);
    disk_free(d);
    life_release(&l);
    assert_ok(wm_folder_remove(folder, &err), &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_power_cut_loses_or_halves_what_the_store_has_promised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
