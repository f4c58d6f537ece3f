/* The tables themselves, and the document that is made of them. */
#include "common/config/options.h"
#include "common/files.h"
#include "common/job/tables.h"
#include "models/model.h"
#include "tests/config/reference.h"
#include "tests/unit.h"

static void test_the_document_is_what_the_tables_say(void **state)
{
    const wm_files *files = wm_files_system();
    char           *path = wm_path_join(wm_test_source(), "docs/configuration.md");
    wm_text         renewed = WM_TEXT_INIT, why = WM_TEXT_INIT;
    uint8_t        *bytes = NULL;
    size_t          n;
    wm_error        err;

    (void)state;
    assert_non_null(path);
    assert_ok(files->read(files, path, 1 << 20, &bytes, &n, &err), &err);
    if (!reference_renew((const char *)bytes, &renewed, &why))
        fail_msg("%s", wm_text_chars(&why));
    if (strcmp((const char *)bytes, wm_text_chars(&renewed)) != 0)
        fail_msg(
            "docs/configuration.md is not what the tables say: run `meson compile -C build reference` and commit it");
    wm_text_release(&renewed);
    wm_text_release(&why);
    free(bytes);
    free(path);
}

static void test_a_document_with_a_wrong_block_is_refused(void **state)
{
    static const char *const documents[] = {
        "<!-- table: job.trainig -->\n<!-- end -->\n",
        "<!-- table: job -->\nno end\n",
        "nothing at all\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        wm_text renewed = WM_TEXT_INIT, why = WM_TEXT_INIT;

        assert_false(reference_renew(documents[i], &renewed, &why));
        assert_true(why.size > 0);
        wm_text_release(&renewed);
        wm_text_release(&why);
    }
}

/* ---- what every table must keep ---- */

static void check_option(const wm_member *table, size_t i)
{
    const wm_option *option = &table->options[i];
    size_t           n = option->doc != NULL ? strlen(option->doc) : 0;
    bool             words = option->kind == WM_CHOICE || option->kind == WM_FLAGS;

    assert_case(option->name, n > 0 && option->doc[n - 1] == '.');
    assert_case(option->name, words == (option->words != NULL));
    assert_case(option->name, (option->kind == WM_SECTION) == (option->section != NULL));
    assert_case(option->name, option->kind <= WM_SECTION || option->says != NULL);
    assert_case(option->name, option->offset < table->options_size || option->kind == WM_SECTION);
    for (size_t k = 0; k < i; k++) {
        assert_case(option->name, strcmp(table->options[k].name, option->name) != 0);
        assert_case(option->name, !(table->options[k].main && option->main));
    }
}

/* The defaults are read as the program reads them, each by itself: options that go together are the program's tests' to
 * check. Families are not handed in: what is chosen is a table of its own. */
static void check_defaults(const wm_member *table)
{
    static const wm_family *const none[16] = { NULL };
    wm_reader                     reader = { .families = none };
    wm_member                     unchecked = *table;
    wm_faults                     faults;
    wm_error                      err;
    void                         *record = calloc(1, table->options_size + 1);
    size_t                        wanted = 0;

    assert_non_null(record);
    assert_ok(wm_arena_new_growing(0, &reader.arena, &err), &err);
    wm_faults_init(&faults, table->name);
    reader.faults = &faults;
    unchecked.check = NULL;
    wm_table_read(&reader, &unchecked, NULL, (wm_place){ 0, 0 }, "", record);
    for (const char *at = wm_text_chars(&faults.lines); (at = strstr(at, ": must be given: ")) != NULL; at++)
        wanted++;
    if (faults.count != wanted)
        print_error("%s", wm_text_chars(&faults.lines));
    assert_case(table->name, faults.count == wanted);
    assert_false(reader.full);
    wm_faults_release(&faults);
    wm_arena_free(reader.arena);
    free(record);
}

static void check_table(const wm_member *table)
{
    assert_case(table->name, table->doc != NULL && table->doc[0] != '\0');
    assert_case(table->name, (table->n_options > 0) == (table->options_size > 0));
    for (size_t i = 0; i < table->n_options; i++) {
        check_option(table, i);
        if (table->options[i].kind == WM_SECTION)
            check_table(table->options[i].section);
    }
    check_defaults(table);
}

static void check_block(void *self, const reference_root *block)
{
    (void)self;
    if (block->table != NULL)
        check_table(block->table);
    for (size_t i = 0; block->family != NULL && i < block->family->n_members; i++) {
        check_table(block->family->members[i]);
        assert_ptr_equal(wm_family_find(block->family, block->family->members[i]->name), block->family->members[i]);
    }
}

static void test_tables_are_whole_and_their_defaults_are_right(void **state)
{
    (void)state;
    reference_each(check_block, NULL);
}

/* A layer's own key stands beside `name` and `from`, a loss's options beside `weight`: they must not be taken. */
static void test_names_that_members_must_not_take(void **state)
{
    (void)state;
    for (size_t i = 0; i < wm_layers.n_members; i++)
        for (size_t k = 0; k < wm_job_layer_table.n_options; k++)
            assert_string_not_equal(wm_layers.members[i]->name, wm_job_layer_table.options[k].name);
    for (size_t i = 0; i < wm_losses.n_members; i++)
        for (size_t k = 0; k < wm_losses.members[i]->n_options; k++)
            assert_string_not_equal(wm_losses.members[i]->options[k].name, wm_job_loss_table.options[0].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_document_is_what_the_tables_say),
        cmocka_unit_test(test_a_document_with_a_wrong_block_is_refused),
        cmocka_unit_test(test_tables_are_whole_and_their_defaults_are_right),
        cmocka_unit_test(test_names_that_members_must_not_take),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
