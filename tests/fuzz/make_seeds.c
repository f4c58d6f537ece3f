/* tests/fuzz/make_seeds.c
 *
 * make_seeds FOLDER: writes the seeds of the fuzz targets into FOLDER/TARGET, replacing those of the same name:
 * `meson compile -C build seeds`. Keys and certificates are fresh each time, for offices that exist nowhere. */
#include "common/files.h"
#include "tests/fuzz/seed.h"

static const char *folder;

/* libFuzzer's name for a target, which replay.c and take.h declare; there is none here. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    (void)bytes;
    return n > 0 ? 0 : -1;
}

void seed_write(const char *target, const char *name, seed *from)
{
    const wm_files *files = wm_files_system();
    char           *place = wm_path_join(folder, target), *path = wm_path_join(place, name);
    wm_error        err = { WM_OK, "" };

    if (from->bad || place == NULL || path == NULL || files->make_folder(files, place, 0755, &err) != WM_OK ||
        files->replace(files, path, from->size > 0 ? from->chars : "", from->size, 0644, &err) != WM_OK) {
        fprintf(stderr, "%s/%s: %s\n", target, name, err.text);
        exit(1);
    }
    wm_text_release(from);
    free(path);
    free(place);
}

void seed_write_text(const char *target, const char *name, unsigned first_byte, const char *text)
{
    seed s = WM_TEXT_INIT;

    seed_number(&s, first_byte, 1);
    seed_text(&s, text);
    seed_write(target, name, &s);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: make_seeds FOLDER\n");
        return 2;
    }
    folder = argv[1];
    seeds_of_files();
    seeds_of_messages();
    seeds_of_trust();
    seeds_of_stores();
    return 0;
}
