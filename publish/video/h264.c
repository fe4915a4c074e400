/* Finding parameter sets in an Annex B byte stream. */
#include <stdbool.h>
#include <string.h>

#include "publish/video/h264.h"

/* The offset of the next 00 00 01 at or after `from`, or `size`. */
static size_t next_start(const uint8_t *data, size_t size, size_t from)
{
    for (size_t i = from; i + 3 <= size; i++)
        if (!data[i] && !data[i + 1] && data[i + 2] == 1)
            return i;
    return size;
}

size_t tf_h264_parameters(const uint8_t *data, size_t size, uint8_t *ret, size_t capacity)
{
    static const uint8_t start_code[4] = {0, 0, 0, 1};
    bool sps = false, pps = false;
    size_t length = 0, at = next_start(data, size, 0);

    while (at + 3 < size) {
        size_t begin = at + 3, end = next_start(data, size, begin), type = data[begin] & 0x1f;

        /* Picture data follow the parameters: a large picture need not be searched to its end. */
        if (type >= 1 && type <= 5)
            break;
        at = end;
        while (end > begin && !data[end - 1]) /* zeros before the next start code belong to it */
            end--;
        if (type == 7 || type == 8) {
            if (end - begin + sizeof start_code > capacity - length)
                return 0;
            memcpy(ret + length, start_code, sizeof start_code);
            memcpy(ret + length + sizeof start_code, data + begin, end - begin);
            length += end - begin + sizeof start_code;
            sps |= type == 7;
            pps |= type == 8;
        }
    }
    return sps && pps ? length : 0;
}
