/* Palettes, the block code of the frame number, PNG. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cairo.h>

#include "base/count.h"
#include "scene.h"

static double linear(unsigned v)
{
    double c = v / 255.0;

    return c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
}

/* CIE L* */
static double lightness(uint32_t rgb)
{
    double y =
        0.2126 * linear(rgb >> 16 & 255) + 0.7152 * linear(rgb >> 8 & 255) + 0.0722 * linear(rgb & 255);

    return y > 0.008856 ? 116 * cbrt(y) - 16 : 903.3 * y;
}

static int palette(const char *name)
{
    struct tf_error err = {0};
    int r = -1;

    assert_int_equal(tf_palette_find(name, &r, &err), 0);
    return r;
}

static void names_are_found(void **state)
{
    struct tf_error err = {0};
    int n = 0, found = -1;

    for (; tf_palette_name(n); n++) {
        assert_int_equal(palette(tf_palette_name(n)), n);
        assert_non_null(tf_palette_table(n));
    }
    assert_true(n >= 4);
    palette("iron"), palette("white-hot"), palette("black-hot"), palette("viridis");
    assert_null(tf_palette_table(n));
    assert_null(tf_palette_name(-1));
    assert_int_equal(tf_palette_find("Iron!", &found, &err), -EINVAL);
    assert_int_equal(found, -1);
    assert_non_null(strstr(err.text, "Iron!"));
    assert_non_null(strstr(err.text, "white-hot"));
    assert_non_null(strstr(err.text, tf_palette_name(n - 1)));
}

static void lightness_rises(void **state)
{
    static const char *const rising[] = {"iron", "white-hot", "viridis", "inferno", "arctic"};

    for (size_t k = 0; k < TF_COUNT(rising); k++) {
        const uint32_t *table = tf_palette_table(palette(rising[k]));
        for (int i = 8; i < 256; i += 8)
            if (lightness(table[i]) <= lightness(table[i - 8]))
                fail_msg("%s gets darker from %d to %d", rising[k], i - 8, i);
    }
    assert_int_equal(tf_palette_table(palette("black-hot"))[0], 0xffffff);
    assert_int_equal(tf_palette_table(palette("black-hot"))[255], 0);
}

/* viridis: steps of equal size in lightness, which is what makes it perceptual; iron is not asked for that.
 */
static void viridis_is_even(void **state)
{
    const uint32_t *table = tf_palette_table(palette("viridis"));
    double whole = lightness(table[255]) - lightness(table[0]);

    assert_int_equal(table[0], 0x440154);
    assert_int_equal(table[128], 0x21918c); /* of the published table */
    assert_int_equal(table[255], 0xfde725);
    assert_int_equal(tf_palette_table(palette("inferno"))[128], 0xbc3754);
    for (int i = 32; i < 256; i += 32) {
        double part = (lightness(table[i]) - lightness(table[0])) / whole;
        assert_true(fabs(part - i / 255.0) < 0.04);
    }
}

static void numbers_come_back(void **state)
{
    static const uint64_t numbers[] = {0,      1,          2,          255,        256,
                                       123456, 0x55555555, 0xaaaaaaaa, 0xffffffff, 0x100000007};
    struct tf_frame *f = scene_frame(160, 120, TF_PIXEL_U16, 0);
    struct tf_overlay_options o = tf_overlay_defaults();
    struct tf_overlay *overlay = scene_overlay(&o, f);
    const struct tf_picture *p;
    uint32_t number;

    for (size_t i = 0; i < TF_COUNT(numbers); i++) {
        struct tf_overlay_note note = {.camera = "a", .frame = numbers[i]};
        assert_int_equal(tf_overlay_draw(overlay, f, NULL, &note, &p), 0);
        assert_int_equal(tf_overlay_read_number(p, &number), 0);
        assert_int_equal(number, (uint32_t)numbers[i]);
    }

    /* Washed out and noisy, as after a hard encoder: still read. */
    uint32_t seed = 1;
    for (uint32_t y = 0; y < p->height; y++)
        for (uint32_t x = 0; x < p->width * 4; x++) {
            uint8_t *b = p->data + (size_t)y * p->stride + x;
            seed = seed * 1664525 + 1013904223;
            *b = (uint8_t)(70 + *b / 2 + (int)(seed >> 26));
        }
    assert_int_equal(tf_overlay_read_number(p, &number), 0);
    assert_int_equal(number, 7);

    /* One bit turned over is noticed, a missing code, too. */
    p = scene_draw(overlay, f, NULL, TF_BANNER_NONE);
    for (uint32_t y = p->height - 16; y < p->height - 8; y++)
        for (uint32_t x = 8 + 5 * 8; x < 8 + 6 * 8; x++)
            for (int c = 0; c < 3; c++)
                p->data[(size_t)y * p->stride + 4 * x + (size_t)c] ^= 0xff;
    number = 42;
    assert_int_equal(tf_overlay_read_number(p, &number), -EBADMSG);
    memset(p->data, 128, (size_t)p->stride * p->height);
    assert_int_equal(tf_overlay_read_number(p, &number), -ENOENT);
    assert_int_equal(number, 42);
    tf_overlay_destroy(overlay);
    scene_free(f);
}

static void png_is_the_picture(void **state)
{
    struct tf_frame *f = scene_frame(64, 48, TF_PIXEL_U16, 0);
    struct tf_overlay_options o = tf_overlay_defaults();
    struct tf_overlay *overlay;
    const struct tf_picture *p;
    char folder[] = "/tmp/tf-png-XXXXXX", path[64];
    struct tf_error err = {0};
    uint8_t *data = NULL;
    size_t size = 0;
    FILE *file;

    for (int i = 0; i < 64 * 48; i++)
        scene_set(f, i % 64, i / 64, (uint16_t)(29000 + i));
    overlay = scene_overlay(&o, f);
    p = scene_draw(overlay, f, NULL, TF_BANNER_NONE);
    assert_int_equal(tf_picture_png(p, &data, &size, &err), 0);
    assert_memory_equal(data, "\x89PNG\r\n\x1a\n", 8);

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/a.png", folder);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    free(data);
    cairo_surface_t *surface = cairo_image_surface_create_from_png(path);
    assert_int_equal(cairo_surface_status(surface), CAIRO_STATUS_SUCCESS);
    assert_int_equal(cairo_image_surface_get_width(surface), p->width);
    assert_int_equal(cairo_image_surface_get_height(surface), p->height);
    size_t stride = (size_t)cairo_image_surface_get_stride(surface);
    const uint8_t *back = cairo_image_surface_get_data(surface);
    for (uint32_t y = 0; y < p->height; y++)
        for (uint32_t x = 0; x < p->width; x++)
            assert_memory_equal(back + y * stride + 4 * x, p->data + (size_t)y * p->stride + 4 * x, 3);
    cairo_surface_destroy(surface);
    unlink(path);
    rmdir(folder);
    tf_overlay_destroy(overlay);
    scene_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found),    cmocka_unit_test(lightness_rises),
        cmocka_unit_test(viridis_is_even),    cmocka_unit_test(numbers_come_back),
        cmocka_unit_test(png_is_the_picture),
    };
    return cmocka_run_group_tests_name("overlay palette", tests, NULL, NULL);
}
