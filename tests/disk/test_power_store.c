/* tests/disk/test_power_store.c
 *
 * The aggregator's store loses its power at every operation on its disk. WM_IMAGES says how many images are looked at
 * (the moments in turn, each with another part of what was not synced); a failure is a number, and WM_IMAGE=n looks at
 * that one alone. */
#include "tests/disk/life.h"
#include "tests/figures.h"
#include "tests/unit.h"

#include "common/files.h"

static size_t wish(const char *name, size_t usual)
{
    const char *text = getenv(name);

    return text != NULL ? (size_t)strtoull(text, NULL, 10) : usual;
}

static void no_power_cut_loses_or_halves_what_the_store_has_promised(void **state)
{
    size_t   images = wish("WM_IMAGES", 1000), only = wish("WM_IMAGE", SIZE_MAX), moments;
    char     folder[4096], place[4096], image[4200], deed[300];
    life     l;
    disk    *d;
    wm_error err;

    (void)state;
    life_init(&l, 7);
    d = disk_watch(disk_folder(folder));
    life_live(&l, folder, d);
    disk_rest(d);
    moments = disk_moment(d) + 1;
    snprintf(image, sizeof image, "%s/image", disk_folder(place));
    for (size_t n = only != SIZE_MAX ? only : 0; n < images || n == only; n++) {
        world_seed_in_work = n;
        disk_tell(d, n % moments, deed, sizeof deed);
        life_case("WM_IMAGE=%zu, after operation %zu of %zu (%s)", n, n % moments, moments, deed);
        disk_image(d, n % moments, n, image);
        life_check(&l, image, n % moments);
        assert_ok(wm_folder_remove(image, &err), &err);
        if (n == only)
            break;
    }
    tell_fault(&(fault_figure){ .fault = "power lost at any operation of the aggregator's disk",
                                .tries = images,
                                .survived = images,
                                .seconds = -1 });
    disk_free(d);
    life_release(&l);
    assert_ok(wm_folder_remove(folder, &err), &err);
    assert_ok(wm_folder_remove(place, &err), &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_power_cut_loses_or_halves_what_the_store_has_promised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
