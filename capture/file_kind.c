/* What a file is, by its first bytes: makers' own formats get an error that names them and what to do. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/count.h"
#include "capture/reader.h"

#define EXIFTOOL                                                                                             \
    "export it in the maker's program as 16-bit TIFF or PNG, or with exiftool: exiftool -b "                 \
    "-RawThermalImage FILE"
#define RESEARCHIR                                                                                           \
    "export it in FLIR Research Studio (ResearchIR) as 16-bit TIFF or raw values, and say what they are "    \
    "with raw"
#define SEQ "split it with flirpy (split_seqs), or export it in FLIR Research Studio as 16-bit TIFF"
#define EXPORT "export it in the maker's program as 16-bit TIFF, PNG or raw values, and say their format"

/* `at`: where the bytes stand; -1: only the name tells. */
static const struct {
    const char *bytes;
    int size, at;
    const char *ending, *name, *how;
} foreign_formats[] = {
    {"FFF\0", 4, 0, ".seq", "a FLIR sequence (SEQ)", SEQ},
    {"FFF\0", 4, 0, ".csq", "a FLIR sequence (CSQ)", SEQ},
    {"FFF\0", 4, 0, NULL, "a FLIR file (FFF, SEQ or CSQ)", SEQ},
    {"AFF\0", 4, 0, NULL, "a FLIR file (AFF)", SEQ},
    {"CPTV", 4, 0, NULL, "a Cacophony Project recording (CPTV)",
     "read it with python-cptv and write its frames as 16-bit PNG or TIFF"},
    {"\xff"
     "IRB\0",
     5, 0, NULL, "an InfraTec picture (IRB)", EXPORT},
    {"IS2", 3, 0, NULL, "a Fluke picture (IS2)", "export it in Fluke Connect or SmartView"},
    {"CED", 3, 0, ".ptw", "a FLIR/Cedip recording (PTW)", RESEARCHIR},
    {"", 0, -1, ".ptw", "a FLIR/Cedip recording (PTW)", RESEARCHIR},
    {"", 0, -1, ".ats", "a FLIR ResearchIR recording (ATS)", RESEARCHIR},
    {"", 0, -1, ".sfmov", "a FLIR ResearchIR recording (SFMOV)", RESEARCHIR},
    {"", 0, -1, ".seq", "a FLIR sequence (SEQ)", SEQ},
    {"", 0, -1, ".csq", "a FLIR sequence (CSQ)", SEQ},
    {"", 0, -1, ".fff", "a FLIR file (FFF)", SEQ},
    {"", 0, -1, ".fcf", "a FLIR file (FCF)", RESEARCHIR},
    {"", 0, -1, ".fpf", "a FLIR picture (FPF)", RESEARCHIR},
    {"", 0, -1, ".irb", "an InfraTec picture (IRB)", EXPORT},
    {"", 0, -1, ".irg", "an InfiRay picture (IRG)", EXPORT},
    {"", 0, -1, ".irs", "an InfiRay recording (IRS)", EXPORT},
    {"", 0, -1, ".is2", "a Fluke picture (IS2)", "export it in Fluke Connect or SmartView"},
    {"", 0, -1, ".is3", "a Fluke recording (IS3)", "export it in Fluke Connect or SmartView"},
    {"", 0, -1, ".bmt", "a Testo picture (BMT)", "export it in Testo IRSoft"},
    {"", 0, -1, ".sit", "a Sierra-Olympic or Wahl picture (SIT)", EXPORT},
    {"", 0, -1, ".tmjsn", "a tCam picture (TMJSN)", "export it in the tCam program"},
    {"", 0, -1, ".tmsx", "a Cox or FOTRIC recording", EXPORT},
    {"", 0, -1, ".cptv", "a Cacophony Project recording (CPTV)",
     "read it with python-cptv and write its frames as 16-bit PNG or TIFF"},
};

static bool ends_with(const char *name, const char *ending)
{
    size_t n = strlen(name), e = strlen(ending);

    return n >= e && strcasecmp(name + n - e, ending) == 0;
}

/* A JPEG that carries thermal values in an application segment; its visible picture is no measurement. */
static bool radiometric_jpeg(const uint8_t *head, size_t size, const char *foreign[2])
{
    static const struct {
        const char *bytes;
        int size;
        uint8_t segment;
        const char *name;
    } makers[] = {
        {"FLIR\0", 5, 0xe1, "a FLIR radiometric JPEG (R-JPEG)"},
        {"IJPEG", 5, 0xe2, "an InfiRay radiometric JPEG (IJPEG)"},
    };

    if (size < 4 || head[0] != 0xff || head[1] != 0xd8)
        return false;
    for (size_t at = 2; at + 4 <= size && head[at] == 0xff && head[at + 1] >= 0xe0;) {
        size_t length = (size_t)head[at + 2] << 8 | head[at + 3];

        for (size_t i = 0; i < TF_COUNT(makers); i++)
            if (head[at + 1] == makers[i].segment && at + 4 + (size_t)makers[i].size <= size &&
                memcmp(head + at + 4, makers[i].bytes, (size_t)makers[i].size) == 0) {
                foreign[0] = makers[i].name;
                foreign[1] = EXIFTOOL;
                return true;
            }
        at += 2 + length;
    }
    return false;
}

/* Mostly letters and no NUL: libavformat would take it for a terminal's drawing. Playlists are text, too. */
static bool is_text(const uint8_t *head, size_t size)
{
    static const char *const lists[] = {"ffconcat", "#EXTM3U", "v=0"};

    for (size_t i = 0; i < TF_COUNT(lists); i++)
        if (size >= strlen(lists[i]) && memcmp(head, lists[i], strlen(lists[i])) == 0)
            return false;
    if (size >= 3 && head[0] == 'P' && head[1] >= '1' && head[1] <= '7' && isspace(head[2]))
        return false; /* PGM and its family */
    if (size >= 9 && memcmp(head, "YUV4MPEG2", 9) == 0)
        return false;
    for (size_t i = 0; i < size; i++)
        if (head[i] < 32 && !isspace(head[i]))
            return false;
    return size > 0;
}

enum tf_file_kind tf_file_kind(const char *path, const uint8_t *head, size_t size, const char *foreign[2])
{
    if (size >= 4 && (memcmp(head, "II*\0", 4) == 0 || memcmp(head, "MM\0*", 4) == 0 ||
                      memcmp(head, "II+\0", 4) == 0 || memcmp(head, "MM\0+", 4) == 0))
        return TF_FILE_TIFF;
    if (size >= 2 && head[0] == 0x1f && head[1] == 0x8b && !ends_with(path, ".cptv"))
        return TF_FILE_GZIP;
    if (radiometric_jpeg(head, size, foreign))
        return TF_FILE_FOREIGN;
    for (size_t i = 0; i < TF_COUNT(foreign_formats); i++) {
        bool bytes = foreign_formats[i].at < 0 ||
                     (size >= (size_t)foreign_formats[i].size &&
                      memcmp(head, foreign_formats[i].bytes, (size_t)foreign_formats[i].size) == 0);
        bool name = !foreign_formats[i].ending || ends_with(path, foreign_formats[i].ending);

        if (bytes && name) {
            foreign[0] = foreign_formats[i].name;
            foreign[1] = foreign_formats[i].how;
            return TF_FILE_FOREIGN;
        }
    }
    return is_text(head, size) ? TF_FILE_TEXT : TF_FILE_OTHER;
}
