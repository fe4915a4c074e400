/* Frames and pools: sizes, references, exhaustion. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/count.h"
#include "base/frame.h"

static struct tf_pool *make_pool(size_t frames, uint16_t w, uint16_t h, enum tf_pixel pixel)
{
    struct tf_pool *pool = NULL;

    assert_int_equal(
        tf_pool_create(&(struct tf_pool_options){.frames = frames, .width = w, .height = h, .pixel = pixel},
                       &pool),
        0);
    return pool;
}

static void frames_are_distinct_and_run_out(void **state)
{
    struct tf_pool *pool = make_pool(3, 33, 7, TF_PIXEL_U16);
    struct tf_frame *f[3];

    for (int i = 0; i < 3; i++) {
        f[i] = tf_pool_get(pool);
        assert_non_null(f[i]);
        assert_int_equal((uintptr_t)f[i]->plane[0] % 64, 0);
        assert_true(f[i]->stride[0] >= 66 && f[i]->stride[0] % 64 == 0);
        assert_true(isnan(f[i]->sensor_c));
        memset(f[i]->plane[0], i, (size_t)f[i]->stride[0] * 7);
    }
    assert_null(tf_pool_get(pool));
    for (int i = 0; i < 3; i++)
        for (size_t k = 0; k < (size_t)f[i]->stride[0] * 7; k++)
            assert_int_equal(f[i]->plane[0][k], i);
    tf_frame_unref(f[1]);
    assert_int_equal(tf_pool_free_count(pool), 1);
    f[1] = tf_pool_get(pool);
    assert_non_null(f[1]);
    for (int i = 0; i < 3; i++)
        tf_frame_unref(f[i]);
    assert_int_equal(tf_pool_free_count(pool), 3);
    tf_pool_destroy(pool);
}

static void planes_of_each_format(void **state)
{
    static const struct {
        enum tf_pixel pixel;
        int planes;
    } rows[] = {{TF_PIXEL_U16, 1},  {TF_PIXEL_U8, 1},   {TF_PIXEL_YUYV, 1},
                {TF_PIXEL_UYVY, 1}, {TF_PIXEL_NV12, 2}, {TF_PIXEL_YUV420, 3}};

    for (size_t i = 0; i < TF_COUNT(rows); i++) {
        struct tf_pool *pool = make_pool(2, 31, 17, rows[i].pixel);
        struct tf_frame *f = tf_pool_get(pool);

        for (int p = 0; p < TF_FRAME_PLANES; p++) {
            assert_int_equal(f->plane[p] != NULL, p < rows[i].planes);
            if (f->plane[p]) /* the last byte is ours: address sanitizer watches */
                f->plane[p][(size_t)f->stride[p] * (p ? 9 : 17) - 1] = 1;
        }
        tf_frame_unref(f);
        tf_pool_destroy(pool);
    }
}

static void limits_are_refused(void **state)
{
    struct tf_pool *pool = NULL;

    assert_int_equal(tf_pool_create(&(struct tf_pool_options){.frames = 0}, &pool), -EINVAL);
    assert_int_equal(tf_pool_create(&(struct tf_pool_options){.frames = 1025}, &pool), -EINVAL);
    assert_int_equal(
        tf_pool_create(&(struct tf_pool_options){.frames = 1, .width = 5000, .height = 10}, &pool), -EINVAL);
    assert_int_equal(tf_pool_create(&(struct tf_pool_options){.frames = 1, .width = 10}, &pool), -EINVAL);
    assert_null(pool);
    tf_pool_destroy(NULL);
    tf_frame_unref(NULL);
}

static void count_release(void *context, struct tf_frame *frame)
{
    ++*(int *)context;
}

static void release_is_called_once_and_not_after_destroy(void **state)
{
    int released = 0;
    struct tf_pool *pool = NULL;
    struct tf_frame *a, *b;

    assert_int_equal(
        tf_pool_create(
            &(struct tf_pool_options){.frames = 2, .released = count_release, .context = &released}, &pool),
        0);
    a = tf_pool_get(pool);
    b = tf_pool_get(pool);
    assert_null(a->plane[0]);
    tf_frame_ref(a);
    tf_frame_unref(a);
    assert_int_equal(released, 0);
    tf_frame_unref(a);
    assert_int_equal(released, 1);
    tf_pool_destroy(pool);
    tf_frame_unref(b); /* frees the pool: leak sanitizer watches */
    assert_int_equal(released, 1);
}

static void *unref_many(void *arg)
{
    struct tf_frame **frames = arg;

    for (int i = 0; i < 64; i++)
        tf_frame_unref(frames[i]);
    return NULL;
}

static void threads_return_frames(void **state)
{
    struct tf_pool *pool = make_pool(64, 8, 8, TF_PIXEL_U8);

    for (int round = 0; round < 50; round++) {
        struct tf_frame *frames[64];
        pthread_t other;

        for (int i = 0; i < 64; i++) {
            frames[i] = tf_pool_get(pool);
            assert_non_null(frames[i]);
            tf_frame_ref(frames[i]);
        }
        assert_int_equal(pthread_create(&other, NULL, unref_many, frames), 0);
        unref_many(frames);
        pthread_join(other, NULL);
        assert_int_equal(tf_pool_free_count(pool), 64);
    }
    tf_pool_destroy(pool);
}

/*
 * The last two frames come back while the pool is destroyed: one from within `released`, which the destroy
 * waits for, the other after that wait's end and before its waking up. That moment is made long: a waker that
 * takes its time, which every caller of pthread_cond_wait must bear.
 */
int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    pthread_mutex_unlock(mutex);
    usleep(3000);
    return pthread_mutex_lock(mutex);
}

struct last_two {
    struct tf_pool *pool;
    struct tf_frame *frames[2];
    sem_t inside;
};

static void linger(void *context, struct tf_frame *frame)
{
    sem_post(&((struct last_two *)context)->inside);
    usleep(1000); /* the destroy waits by now */
}

static void *unref_both(void *arg)
{
    struct last_two *t = arg;

    tf_frame_unref(t->frames[0]);
    tf_frame_unref(t->frames[1]);
    return NULL;
}

static void last_frames_return_during_destroy(void **state)
{
    for (int round = 0; round < 20; round++) {
        struct last_two t = {0};
        pthread_t other;

        sem_init(&t.inside, 0, 0);
        assert_int_equal(
            tf_pool_create(&(struct tf_pool_options){.frames = 2, .released = linger, .context = &t},
                           &t.pool),
            0);
        for (int i = 0; i < 2; i++)
            t.frames[i] = tf_pool_get(t.pool);
        assert_int_equal(pthread_create(&other, NULL, unref_both, &t), 0);
        sem_wait(&t.inside);
        tf_pool_destroy(t.pool);
        pthread_join(other, NULL);
        sem_destroy(&t.inside);
    }
}

static void flag_and_stamp_names(void **state)
{
    assert_string_equal(tf_flag_name(2), "ffc_settling");
    assert_string_equal(tf_flag_name(5), "gap");
    assert_string_equal(tf_stamp_name(TF_STAMP_DRIVER_EOF), "driver-eof");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_distinct_and_run_out),
        cmocka_unit_test(planes_of_each_format),
        cmocka_unit_test(limits_are_refused),
        cmocka_unit_test(release_is_called_once_and_not_after_destroy),
        cmocka_unit_test(threads_return_frames),
        cmocka_unit_test(last_frames_return_during_destroy),
        cmocka_unit_test(flag_and_stamp_names),
    };
    return cmocka_run_group_tests_name("base frame", tests, NULL, NULL);
}
