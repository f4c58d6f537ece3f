/* tests/fuzz/seeds_of_files.c: what lies in folders: settings, readings, models, zones. */
#include "client/config.h"
#include "server/config.h"
#include "tests/fuzz/memory_files.h"
#include "tests/fuzz/seed.h"

#include <math.h>
#include <zlib.h>

/* ---- settings ---- */

static void write_config(const char *name, unsigned first_byte, const memory_files *from)
{
    seed s = WM_TEXT_INIT;

    seed_number(&s, first_byte, 1);
    seed_bytes(&s, from->items[0].bytes, from->items[0].n);
    seed_write("config", name, &s);
}

static void configs(void)
{
    static const char *const names[] = { "office.example", "192.0.2.1" };
    memory_files             folder;
    seed                     s = WM_TEXT_INIT;

    memory_files_init(&folder);
    must(wm_server_config_write(&folder.files, "folder", names, 2, NULL) == WM_OK);
    write_config("server", 0, &folder);
    memory_files_release(&folder);
    memory_files_init(&folder);
    must(wm_client_config_write(&folder.files, "folder", names, 2, 7400, 7401, 7402, NULL) == WM_OK);
    write_config("client", 1, &folder);
    memory_files_release(&folder);
    seed_write_text("config", "server_all", 0,
                    "listen: {control: \"[::]:1\", bulk: \"0.0.0.0:2\", enrolment: \"127.0.0.1:3\"}\n"
                    "names: [a.example, \"::1\"]\naddresses: [\"a.example:7402\", \"[::1]:7402\"]\n"
                    "uploads: {at_once: 2, memory: 1MiB, room: 1GiB, stall: 10s, turn: 1m}\n"
                    "connections: {most: 100, per_gateway: 3, idle: 60s, memory: 16MiB}\n"
                    "certificates: {gateway: 30d, server: 90d}\n");
    seed_write_text("config", "server_wrong", 0,
                    "listen: {control: nowhere, bulk: \"0.0.0.0:99999\", other: 1}\nnames: [\"*.x\", \"-\"]\n"
                    "addresses: [a, \"b:0\"]\nuploads: {at_once: -1, memory: 99999999999999999999, stall: soon}\n");
    seed_write_text(
        "config", "client_all", 1,
        "servers: office.example\ncontrol: 1\nbulk: 2\nenrolment: 3\n"
        "data:\n  folder: /readings\n  source: {csv: {files: [\"*.csv\"], separator: tab, missing: [NA]}}\n"
        "  owner: {column: station}\n  keep: north\n  columns: [no2, wind]\n  examples_min: 5\n"
        "limits: {memory: 64MiB, nice: 19}\n");
    seed_write_text(
        "config", "client_wrong", 1,
        "servers: []\ncontrol: 0\ndata: {source: {cvs: 1}, columns: {a: b}, examples_min: 0.5}\nlimits: 7\n");
    seed_write_text("config", "not_yaml", 0, "names: [a, b\n\t: }");
    seed_number(&s, 1, 1); /* deeply nested */
    for (int i = 0; i < 2000; i++)
        seed_text(&s, "[");
    seed_write("config", "deep", &s);
    seed_write_text("config", "bomb", 0, /* aliases of aliases: ten lines that would be 10^9 names */
                    "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                    "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nnames: *c\n");
}

/* ---- readings ---- */

static void gzip(seed *s, unsigned first_byte, const char *bytes, size_t n)
{
    uint8_t  packed[4096];
    z_stream z = { .next_in = (uint8_t *)(uintptr_t)bytes,
                   .avail_in = (unsigned)n,
                   .next_out = packed,
                   .avail_out = sizeof packed };

    must(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    must(deflate(&z, Z_FINISH) == Z_STREAM_END);
    seed_number(s, first_byte, 1);
    seed_bytes(s, packed, z.total_out);
    deflateEnd(&z);
}

static void csvs(void)
{
    static const char plain[] =
        "t,x,wd,who\n2024-03-01 00:00,1,N,a\n2024-03-01 01:00,2.5,SSE,a\n2024-03-01 02:00,NA,W,a\n"
        "2024-03-01 03:00,-4e1,n,b\n2024-03-01 04:00,5,,b\n2024-03-01 05:00,6,90,b\n"
        "2024-03-01 06:00,7,E,a\n2024-03-01 09:00,8,E,a\n2024-03-01 10:00,9,E,a\n";
    seed s = WM_TEXT_INIT;

    seed_write_text("csv", "plain", 0, plain);
    seed_write_text("csv", "by_owner", 8, plain);
    seed_write_text("csv", "packed_here", 16, plain); /* by the target */
    seed_write_text("csv", "repeated", 32, plain);
    seed_write_text("csv", "wide", 64 | 32,
                    "t,wd,7,8\n2024-03-01 00:00,N,1,10\n2024-03-01 01:00,S,2,20\n2024-03-01 01:00,S,2,20\n"
                    "2024-03-01 02:00,E,,30\n2024-03-01 03:00,W,4,40\n");
    seed_write_text("csv", "given_header", 128 | 8, "0,1,N,a\n3600,2,S,a\n7200,3,E,a\n10800,4,W,a\n14400,5,,b\n");
    seed_write_text(
        "csv", "semicolons", 1 | 4,
        "\xef\xbb\xbft;x;wd\r\n1709251200;1,5;N\r\n1709254800;\"2,5\";S\r\n1709258400;;\r\n1709262000;4;\r\n");
    seed_write_text("csv", "tabs", 2, "t\tx\twd\n2024-03-01T00:00:00Z\t1\t0\n2024-03-01T02:00+01:00\t2\t359.9\n");
    seed_write_text("csv", "spaces", 3, "t x wd\n2024-03-01T00:00 1 N\n2024-03-01T01:00 \"2\" \"N\"\n");
    seed_write_text("csv", "quotes", 0,
                    "\"t\",x,wd,\"a \"\"b\"\"\"\n\"2024-03-01 00:00\",\"1\",\"N\",\"x\ny\"\n,5\"\" pipe,,\"\"\n");
    seed_write_text("csv", "open_quote", 0, "t,x,wd\n\"2024,1,N\n1,2,3\n");
    seed_write_text("csv", "quote_in_plain", 3, ",b,+\"\"  \"");
    seed_write_text(
        "csv", "twice_and_back", 0,
        "t,x,wd\n2024-03-01 02:00,1,N\n2024-03-01 02:00,2,S\n2024-03-01 01:00,3,E\n2023-02-29 01:00,4,W\n");
    seed_write_text("csv", "far_apart", 0, "t,x,wd\n0,1,N\n253402300799,2,S\n99999999999999,3,E\n-1,0,0\n");
    seed_write_text("csv", "no_header", 0, "1,2,3\n");
    seed_write_text("csv", "cells", 0, "t,x,wd\n1\n1,2,3,4,5\n,,\n");
    seed_write_text("csv", "utf16", 0, "\xff\xfet");
    gzip(&s, 0, plain, sizeof plain - 1);
    seed_write("csv", "gzip", &s);
    gzip(&s, 0, plain, sizeof plain - 1);
    s.chars[s.size - 5] ^= 1; /* its check does not hold */
    seed_write("csv", "gzip_changed", &s);
    gzip(&s, 0, plain, sizeof plain - 1);
    s.size -= 30;
    seed_write("csv", "gzip_cut", &s);
}

static void texts(void)
{
    static const char play[] = "First Man:\nab\nba\n\nOther:\nb\n\n\nFirst Man:\nabab\n\nnobody\nab\n\nOther:\naa";

    seed_write_text("text", "all", 0, play);
    seed_write_text("text", "two_speeches", 1, play);
    seed_write_text("text", "only_a_name", 0, "A:");
    seed_write_text("text", "no_speaker", 0, "\n\nab\nba\n");
    seed_write_text("text", "empty", 0, "\n\n\n");
}

static void idx_head(seed *s, unsigned type, unsigned rank, const uint32_t *dim)
{
    seed_big_endian(s, (uint64_t)type << 8 | rank, 4);
    for (unsigned i = 0; i < rank; i++)
        seed_big_endian(s, dim[i], 4);
}

/* The target's first byte: how many of the others are the labels; 128 and it packs both. */
static void idx(const char *name, unsigned flags, unsigned rank, uint32_t n_labels, const uint32_t *dim,
                size_t pixels, unsigned label, const char *behind)
{
    seed s = WM_TEXT_INIT;

    seed_number(&s, flags | (8 + n_labels), 1);
    idx_head(&s, 8, 1, &n_labels);
    for (uint32_t i = 0; i < n_labels; i++)
        seed_number(&s, i % label, 1);
    idx_head(&s, 8, rank, dim);
    for (size_t i = 0; i < pixels; i++)
        seed_number(&s, i * 37, 1);
    seed_text(&s, behind);
    seed_write("idx", name, &s);
}

static void idxs(void)
{
    static const uint32_t right[] = { 6, 2, 2 }, channels[] = { 6, 2, 2, 1 }, wide[] = { 6, 4, 1 };
    static const uint32_t bomb[] = { 0xffffff, 0xffffffff, 0xffffffff }, none[] = { 0, 2, 2 };
    static const uint32_t large[] = { 20000000, 2, 2 };

    idx("right", 0, 3, 6, right, 24, 4, "");
    idx("channels", 0, 4, 6, channels, 24, 4, "");
    idx("packed_here", 128, 3, 6, right, 24, 4, "");
    idx("wide", 0, 3, 6, wide, 24, 4, "");
    idx("too_short", 0, 3, 6, right, 20, 4, "");
    idx("too_long", 0, 3, 6, right, 24, 4, "x");
    idx("fewer_labels", 0, 3, 5, right, 24, 4, "");
    idx("class_too_large", 0, 3, 6, right, 24, 6, "");
    idx("length_bomb", 0, 3, 6, bomb, 24, 4, "");
    idx("length_bomb_packed", 128, 3, 6, large, 24, 4, "");
    idx("none", 0, 3, 0, none, 0, 4, "");
    idx("rank", 0, 2, 6, right, 24, 4, "");
}

/* ---- models ---- */

static void tensors(const char *name, const char *header, uint64_t length, size_t floats)
{
    seed s = WM_TEXT_INIT;

    seed_number(&s, length != 0 ? length : strlen(header), 8);
    seed_text(&s, header);
    for (size_t i = 0; i < floats; i++) {
        float value = 0.5f * (float)i;

        seed_bytes(&s, &value, sizeof value);
    }
    seed_write("safetensors", name, &s);
}

static void models(void)
{
    seed deep = WM_TEXT_INIT;

    tensors(
        "right",
        "{\"__metadata__\":{\"job\":\"job: a\"},\"a.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
        "\"a.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[24,32]}}",
        0, 8);
    tensors("bias_first",
            "{\"a.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
            "\"a.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[8,32]}}   ",
            0, 8);
    tensors("overlap",
            "{\"a.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
            "\"a.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}}",
            0, 8);
    tensors("hole",
            "{\"a.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
            "\"a.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[12,36]}}",
            0, 9);
    tensors("behind",
            "{\"a.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
            "\"a.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[8,32]}}",
            0, 9);
    tensors("surplus",
            "{\"a.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{},"
            "\"a.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[8,32]}}",
            0, 8);
    tensors("half", "{\"a.weight\":{\"dtype\":\"F16\",\"shape\":[2,3],\"data_offsets\":[0,12]}}", 0, 3);
    tensors("shape", "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[0,24]}}", 0, 6);
    tensors("offsets_bomb",
            "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[9223372036854775807,-1]}}", 0, 6);
    tensors("short", "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,20]}}", 0, 6);
    tensors("length_bomb", "{}", UINT64_MAX, 0);
    tensors("length_over_limit", "{}", 200u << 20, 0);
    tensors("length_over_end", "{}", 100, 0);
    tensors("not_an_object", "[1]", 0, 0);
    tensors("names_twice", "{\"a\":1,\"a\":2}", 0, 0);
    tensors("empty", "", 0, 0);
    seed_text(&deep, "{\"a\":");
    for (int i = 0; i < 5000; i++)
        seed_text(&deep, "[");
    tensors("deep", wm_text_chars(&deep), 0, 0);
    wm_text_release(&deep);
}

/* A job of one picture, with these layers and this much in a batch. */
static void plan(const char *name, const char *pixels, const char *layers, const char *batch)
{
    seed s = WM_TEXT_INIT;

    wm_text_printf(&s,
                   "job: a\ndata:\n  source: {idx: {}}\n  inputs: {image: {pixels: %s}}\n"
                   "  targets: {digit: {column: label, classes: 10}}\nmodel: {layers: %s, loss: cross_entropy}\n"
                   "training: {rate: 0.1, batch: %s}\nrounds: 5\nevaluate: {metrics: accuracy}\n",
                   pixels, layers, batch);
    seed_write("plan", name, &s);
}

static void plans(void)
{
    seed s = WM_TEXT_INIT;

    plan("right", "[4, 4, 1]", "[flatten, {dense: 8}, relu, {dense: 10}]", "5");
    plan("wide", "[4, 4, 1]", "[flatten, {dense: 1000000000000000000}, {dense: 10}]", "5");
    plan("wide_twice", "[4, 4, 1]", "[flatten, {dense: 60000}, {dense: 60000}, {dense: 10}]", "5");
    plan("large_picture", "[65535, 65535, 65535]", "[flatten, {dense: 10}]", "5");
    plan("larger_picture", "[4294967295, 4294967295, 4294967295]", "[flatten, {dense: 10}]", "5");
    plan("large_batch", "[4, 4, 1]", "[flatten, {dense: 1000000}, {dense: 10}]", "9223372036854775807");
    plan("another_width", "[4, 4, 1]", "[flatten, {dense: 9}]", "5");
    plan("not_flat", "[4, 4, 1]", "[{dense: 10}]", "5");
    plan("no_layers", "[4, 4, 1]", "[]", "5");
    seed_text(&s, "[relu");
    for (int i = 0; i < 1000; i++)
        seed_text(&s, ", relu");
    seed_text(&s, ", flatten, {dense: 10}]");
    plan("many_layers", "[4, 4, 1]", wm_text_chars(&s), "5");
    wm_text_release(&s);
}

static void scalings(void)
{
    static const double right[] = { 1.5, 0.5, -3, 2 },
                        wrong[][2] = { { 1, 0 }, { 1, -1 }, { 0, (double)INFINITY }, { (double)INFINITY, 1 } };
    seed s = WM_TEXT_INIT;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char name[16];

        snprintf(name, sizeof name, "wrong_%zu", i);
        seed_number(&s, 1, 1);
        seed_bytes(&s, wrong[i], sizeof wrong[i]);
        seed_write("scaling", name, &s);
    }
    seed_number(&s, 2, 1);
    seed_bytes(&s, right, sizeof right);
    seed_write("scaling", "right", &s);
    seed_number(&s, 3, 1);
    seed_bytes(&s, right, sizeof right);
    seed_write("scaling", "short", &s);
    seed_number(&s, 0, 1);
    seed_write("scaling", "none", &s);
}

/* ---- zones ---- */

static void zone_block(seed *s, unsigned version, const int64_t *at, const uint8_t *type, uint32_t n, size_t width)
{
    static const int32_t offsets[] = { 3600, 7200, -44 * 60 };

    seed_text(s, "TZif");
    seed_number(s, version, 1);
    for (int i = 0; i < 15; i++)
        seed_number(s, 0, 1);
    seed_big_endian(s, 0, 4); /* isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt */
    seed_big_endian(s, 0, 4);
    seed_big_endian(s, 0, 4);
    seed_big_endian(s, n, 4);
    seed_big_endian(s, 3, 4);
    seed_big_endian(s, 4, 4);
    for (uint32_t i = 0; i < n; i++)
        seed_big_endian(s, (uint64_t)at[i], width);
    seed_bytes(s, type, n);
    for (size_t i = 0; i < 3; i++) {
        seed_big_endian(s, (uint32_t)offsets[i], 4);
        seed_number(s, i == 1, 1);
        seed_number(s, 0, 1);
    }
    seed_text(s, "CET");
    seed_number(s, 0, 1);
}

/* rule NULL: version 1, without a rule. */
static void zone(const char *name, const char *rule, const char *format, const char *time)
{
    static const int64_t at[] = { -2000000000, 0, 1000000000, 1700000000 };
    static const uint8_t type[] = { 2, 0, 1, 0 };
    seed                 file = WM_TEXT_INIT, s = WM_TEXT_INIT;

    zone_block(&file, rule != NULL ? '2' : 0, at, type, 4, 4);
    if (rule != NULL) {
        zone_block(&file, '2', at, type, 4, 8);
        seed_text(&file, "\n");
        seed_text(&file, rule);
        seed_text(&file, "\n");
    }
    seed_number(&s, file.size, 2);
    seed_number(&s, strlen(format), 1);
    seed_bytes(&s, file.chars, file.size);
    seed_text(&s, format);
    seed_text(&s, time);
    wm_text_release(&file);
    seed_write("zone", name, &s);
}

static void zones(void)
{
    zone("berlin", "CET-1CEST,M3.5.0,M10.5.0/3", "", "2024-03-31 02:30");
    zone("south", "<-03>3<-02>,M10.3.0/0,M2.3.0/0", "", "2024-10-20T00:30:00.250");
    zone("days", "AAA5:30:15BBB4,J60/2:30,300/-1", "%d.%m.%Y %H:%M", "31.12.2024 23:59");
    zone("whole_year", "XXX3EDT4,0/0,J365/25", "", "1709251200.5");
    zone("no_summer", "UTC0", "", "1709251200000");
    zone("no_rule", "", "", "2024-02-29");
    zone("version_1", NULL, "%s", "1709251200");
    zone("rule_wrong", "CET-1CEST,M13.5.0,M10.5.0", "%H", "2024-03-01 24:00:60+25:00");
    zone("rule_far", "CET-25CEST99,M3.5.0/999,J0", "", "2024-03-01 05:00:00,25+0100");
    zone("parts", "UTC0", "", "{\x06\x14\x18\x1e"); /* 2023-03-10 12:15 */
    zone("parts_of_hour_24", "UTC0", "", "x\x04\x3a\x30");
    zone("rule_short", "CE", "", "9999999999999999999999");
}

void seeds_of_files(void)
{
    configs();
    csvs();
    texts();
    idxs();
    models();
    plans();
    scalings();
    zones();
}
