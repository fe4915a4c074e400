/* From text to struct tf_config: lines through inih, values through the table. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/count.h"
#include "base/options.h"
#include "config/parse.h"
#include "config/table.h"

static const struct tf_key *nearest_key(int section, const char *name)
{
    const struct tf_key *best = NULL;
    unsigned least = UINT_MAX;

    for (size_t i = 0; i < tf_key_count; i++) {
        unsigned unlike = (int)tf_keys[i].section == section ? tf_unlike(name, tf_keys[i].name) : UINT_MAX;

        if (unlike < least) {
            least = unlike;
            best = &tf_keys[i];
        }
    }
    return best;
}

static void *field_of(struct tf_config *config, const struct tf_key *key, size_t camera)
{
    return (void *)tf_config_field(config, key, camera);
}

static int set_defaults(struct tf_config *config, enum tf_section section, size_t camera)
{
    for (size_t i = 0; i < tf_key_count; i++) {
        const struct tf_key *key = &tf_keys[i];
        int r;

        if (key->section != section || !key->fallback)
            continue;
        r = tf_value_parse(key, key->fallback, field_of(config, key, camera), NULL);
        if (r < 0)
            return r;
    }
    return 0;
}

static bool check_name(struct tf_parse *p, const char *what, const char *name)
{
    for (const char *c = name; *c; c++)
        if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) && *c != '_' && *c != '-') {
            FAIL(p, p->line, "\"%s\" is not a name for a %s: expected a-z, 0-9, _ and -", name, what);
            return false;
        }
    if (!*name || strlen(name) > TF_CONFIG_NAME_MAX) {
        FAIL(p, p->line, "expected [%s NAME] with a name of 1 to %d bytes", what, TF_CONFIG_NAME_MAX);
        return false;
    }
    return true;
}

static void open_camera(struct tf_parse *p, const char *name)
{
    struct tf_config *config = p->config;
    struct tf_config_camera *camera;
    int r;

    if (!check_name(p, "camera", name))
        return;
    for (size_t i = 0; i < config->camera_count; i++)
        if (strcmp(config->cameras[i].name, name) == 0) {
            FAIL(p, p->line, "a second [camera %s]: the first is in line %d", name, config->lines->camera[i]);
            return;
        }
    if (config->camera_count == TF_CONFIG_CAMERAS_MAX) {
        FAIL(p, p->line, "more than %d cameras", TF_CONFIG_CAMERAS_MAX);
        return;
    }
    p->which = config->camera_count;
    camera = &config->cameras[p->which];
    camera->name = strdup(name);
    r = camera->name ? set_defaults(config, TF_SECTION_CAMERA, p->which) : -ENOMEM;
    config->camera_count++;
    config->lines->camera[p->which] = p->line;
    if (r < 0)
        tf_parse_fault(p, p->line, r, "no memory");
}

static void open_pair(struct tf_parse *p, const char *name)
{
    struct tf_config *config = p->config;
    struct tf_config_pair *pair;
    int r;

    if (!check_name(p, "pair", name))
        return;
    for (size_t i = 0; i < config->pair_count; i++)
        if (strcmp(config->pairs[i].name, name) == 0) {
            FAIL(p, p->line, "a second [pair %s]: the first is in line %d", name, config->lines->pair[i]);
            return;
        }
    if (config->pair_count == TF_CONFIG_PAIRS_MAX) {
        FAIL(p, p->line, "more than %d pairs", TF_CONFIG_PAIRS_MAX);
        return;
    }
    p->which = config->pair_count;
    pair = &config->pairs[p->which];
    pair->name = strdup(name);
    r = pair->name ? set_defaults(config, TF_SECTION_PAIR, p->which) : -ENOMEM;
    config->pair_count++;
    config->lines->pair[p->which] = p->line;
    if (r < 0)
        tf_parse_fault(p, p->line, r, "no memory");
}

static void open_region(struct tf_parse *p, const char *name)
{
    struct tf_config *config = p->config;
    struct tf_config_region *region;
    int r;

    for (size_t i = 0; i < config->region_count; i++)
        if (strcmp(config->regions[i].name, name) == 0) {
            FAIL(p, p->line, "a second [region %s]: the first is in line %d", name, config->lines->region[i]);
            return;
        }
    if (config->region_count == TF_OWN_MAX) {
        FAIL(p, p->line, "more than %d regions", TF_OWN_MAX);
        return;
    }
    p->which = config->region_count;
    region = &config->regions[p->which];
    region->name = strdup(name);
    r = region->name ? set_defaults(config, TF_SECTION_REGION, p->which) : -ENOMEM;
    config->region_count++;
    config->lines->region[p->which] = p->line;
    if (r < 0)
        tf_parse_fault(p, p->line, r, "no memory");
}

static void open_trigger(struct tf_parse *p, const char *name)
{
    struct tf_config *config = p->config;
    struct tf_config_trigger *trigger;
    int r;

    if (!check_name(p, "trigger", name))
        return;
    for (size_t i = 0; i < config->trigger_count; i++)
        if (strcmp(config->triggers[i].name, name) == 0) {
            FAIL(p, p->line, "a second [trigger %s]: the first is in line %d", name,
                 config->lines->trigger[i]);
            return;
        }
    if (config->trigger_count == TF_CONFIG_TRIGGERS_MAX) {
        FAIL(p, p->line, "more than %d triggers", TF_CONFIG_TRIGGERS_MAX);
        return;
    }
    p->which = config->trigger_count;
    trigger = &config->triggers[p->which];
    trigger->name = strdup(name);
    r = trigger->name ? set_defaults(config, TF_SECTION_TRIGGER, p->which) : -ENOMEM;
    config->trigger_count++;
    config->lines->trigger[p->which] = p->line;
    if (r < 0)
        tf_parse_fault(p, p->line, r, "no memory");
}

/*
 * inih cuts section names at 49 bytes, gives the handler no line number and does not report empty sections,
 * all of which matter here; so sections are taken where the lines are handed to inih.
 */
static void enter_section(struct tf_parse *p, const char *line)
{
    char name[TF_CONFIG_NAME_MAX + 64];
    const char *end = strchr(line, ']');
    size_t n;

    if (!end || strcspn(line, ";") < (size_t)(end - line)) {
        FAIL(p, p->line, "expected [section] or key=value");
        return;
    }
    n = (size_t)(end - line) - 1;
    if (n >= sizeof(name)) {
        FAIL(p, p->line, "the name of the section is too long");
        return;
    }
    memcpy(name, line + 1, n);
    name[n] = '\0';
    for (end++; *end && *end != ';'; end++)
        if (!isspace((unsigned char)*end)) {
            FAIL(p, p->line, "[%s] is followed by text", name);
            return;
        }
    if (strncmp(name, "region ", 7) == 0) {
        p->section = TF_SECTION_REGION;
        open_region(p, name + 7 + strspn(name + 7, " "));
        return;
    }
    if (p->regions_only && strcmp(name, "region") != 0) {
        p->section = LOST_SECTION;
        return;
    }
    if (strcmp(name, "camera") == 0 || strcmp(name, "pair") == 0 || strcmp(name, "region") == 0 ||
        strcmp(name, "trigger") == 0) {
        FAIL(p, p->line, "[%s] has no name: write [%s NAME]", name, name);
        return;
    }
    if (strncmp(name, "camera ", 7) == 0) {
        p->section = TF_SECTION_CAMERA;
        open_camera(p, name + 7 + strspn(name + 7, " "));
        return;
    }
    if (strncmp(name, "pair ", 5) == 0) {
        p->section = TF_SECTION_PAIR;
        open_pair(p, name + 5 + strspn(name + 5, " "));
        return;
    }
    if (strncmp(name, "trigger ", 8) == 0) {
        p->section = TF_SECTION_TRIGGER;
        open_trigger(p, name + 8 + strspn(name + 8, " "));
        return;
    }
    for (int i = TF_SECTION_TRIGGER + 1; i < TF_SECTIONS; i++) {
        if (strcmp(tf_sections[i].name, name) != 0)
            continue;
        if (p->config->lines->section[i])
            FAIL(p, p->line, "a second [%s]: the first is in line %d", name, p->config->lines->section[i]);
        p->config->lines->section[i] = p->line;
        p->section = i;
        p->which = 0;
        return;
    }
    FAIL(p, p->line,
         "unknown section [%s]: expected camera NAME, pair NAME, region NAME, trigger NAME, inference, "
         "overlay, video, rtsp, http, recording or mqtt",
         name);
}

static void open_section(struct tf_parse *p, const char *line)
{
    unsigned before = p->errors;

    enter_section(p, line);
    if (p->errors == before)
        return;
    p->section = LOST_SECTION;
    p->lost_section = true;
}

/* A line that inih made no key of. */
static void not_a_key(struct tf_parse *p)
{
    if (p->expects_key && !tf_parse_over(p))
        FAIL(p, p->line, "expected [section] or key=value");
    p->expects_key = false;
}

/* inih's reader: one line a call, NULL at the end or after an error. */
static char *next_line(char *line, int size, void *context)
{
    struct tf_parse *p = context;
    const char *newline;
    size_t n;

    not_a_key(p);
    if (tf_parse_over(p) || p->at == p->end)
        return NULL;
    p->line++;
    newline = memchr(p->at, '\n', (size_t)(p->end - p->at));
    n = (size_t)((newline ? newline : p->end) - p->at);
    if (memchr(p->at, '\0', n)) {
        FAIL(p, p->line, "not a text file (a zero byte)");
        p->at = p->end;
        return NULL;
    }
    if (p->line == 1 && n >= 3 && memcmp(p->at, "\xef\xbb\xbf", 3) == 0) {
        p->at += 3;
        n -= 3;
    }
    /* inih would take an indented line as the continuation of the one before, which nobody expects here. */
    while (n && isspace((unsigned char)*p->at)) {
        p->at++;
        n--;
    }
    if (n + 2 > (size_t)size) {
        /* A long comment is harmless, a long value would be cut. */
        if (*p->at != '#' && *p->at != ';')
            FAIL(p, p->line, "the line is longer than %d bytes", size - 2);
        p->at += n;
        n = 0;
    }
    memcpy(line, p->at, n);
    line[n] = '\0';
    p->at += n + (newline != NULL);
    if (line[0] == '[')
        open_section(p, line);
    else
        p->expects_key = line[0] && line[0] != '#' && line[0] != ';';
    return line;
}

/* Keys of the encoder stood in [rtsp] before there was [video]; both name one field. */
static const struct tf_key *older_key(int section, const char *name)
{
    static const char *const names[] = {"codec", "bitrate", "gop", "threads"};

    for (size_t i = 0; section == TF_SECTION_RTSP && i < TF_COUNT(names); i++)
        if (strcmp(name, names[i]) == 0)
            return tf_parse_key(TF_SECTION_VIDEO, name);
    return NULL;
}

static int handle(void *context, const char *section, const char *name, const char *value)
{
    struct tf_parse *p = context;
    const struct tf_key *key;
    struct tf_error reason = {0};
    const struct tf_key *near;
    int *line, r;

    (void)section;
    p->expects_key = false;
    if (tf_parse_over(p))
        return 0;
    if (p->section == LOST_SECTION)
        return 1;
    if (p->section < 0)
        return FAIL(p, p->line, "%s stands before the first section", name), 0;
    key = tf_parse_key(p->section, name);
    if (!key)
        key = older_key(p->section, name);
    if (!key) {
        near = nearest_key(p->section, name);
        FAIL(p, p->line, "unknown key %s in [%s]%s%s%s", name, tf_sections[p->section].name,
             near ? ": did you mean " : "; --help-config lists them all", near ? near->name : "",
             near ? "?" : "");
        /* Who mistyped it has not left it out. */
        if (near)
            p->bad[near - tf_keys][p->which] = true;
        return 0;
    }
    line = &p->config->lines->key[key - tf_keys][p->which];
    if (*line)
        return FAIL(p, p->line, "%s is set twice: the first time in line %d", name, *line), 0;
    *line = p->line;
    r = tf_value_parse(key, value, field_of(p->config, key, p->which), &reason);
    if (r < 0) {
        p->bad[key - tf_keys][p->which] = true;
        tf_parse_fault(p, p->line, r, "%s", r == -ENOMEM ? "no memory" : reason.text);
        return 0;
    }
    return 1;
}

/* A credential that the unit passes is used without being named. */
static int default_credentials(char **field, const char *name)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    char *path;

    if (*field || !folder)
        return 0;
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return -ENOMEM;
    if (access(path, F_OK) == 0)
        *field = path;
    else
        free(path);
    return 0;
}

/* With faults: *ret is set also where there are some. */
static int parse_text(const char *text, size_t size, const char *name, bool regions_only,
                      struct tf_config_faults *faults, struct tf_config **ret, struct tf_error *err)
{
    struct tf_parse p = {.name = name,
                         .at = text,
                         .end = text + size,
                         .section = NO_SECTION,
                         .err = err,
                         .faults = faults,
                         .regions_only = regions_only};
    struct tf_config *config;
    int r;

    if (size > TF_CONFIG_FILE_MAX)
        return tf_fail(err, -E2BIG, "%s: larger than %u KiB, which no configuration is", name,
                       TF_CONFIG_FILE_MAX >> 10);
    config = calloc(1, sizeof(*config));
    if (!config)
        goto nomem;
    config->lines = calloc(1, sizeof(*config->lines));
    config->path = strdup(name);
    if (!config->lines || !config->path)
        goto nomem;
    for (int i = TF_SECTION_TRIGGER + 1; i < TF_SECTIONS; i++)
        if (set_defaults(config, (enum tf_section)i, 0) < 0)
            goto nomem;
    p.config = config;

    r = ini_parse_stream(next_line, &p, handle, &p);
    if (r < 0)
        goto nomem;
    if (r > 0 && !p.result)
        FAIL(&p, r, "expected [section] or key=value");
    if (!tf_parse_over(&p) && !regions_only &&
        (default_credentials(&config->rtsp.credentials, "rtsp") < 0 ||
         default_credentials(&config->http.credentials, "http") < 0 ||
         default_credentials(&config->mqtt.credentials, "mqtt") < 0))
        goto nomem;
    if (!tf_parse_over(&p))
        tf_parse_check(&p);
    if (tf_parse_over(&p))
        tf_config_free(config);
    else
        *ret = config;
    return p.result;

nomem:
    tf_config_free(config);
    return tf_fail(err, -ENOMEM, "%s: no memory", name);
}

int tf_config_load_text(const char *text, size_t size, const char *name, struct tf_config **ret,
                        struct tf_error *err)
{
    return parse_text(text, size, name, false, NULL, ret, err);
}

static int load(const char *path, bool regions_only, struct tf_config_faults *faults, struct tf_config **ret,
                struct tf_error *err)
{
    char *text = NULL;
    size_t size = 0;
    struct stat st;
    ssize_t n;
    int fd, r;

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        r = -errno;
        return tf_fail(err, r, "%s: %s", path, strerror(-r));
    }
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        r = tf_fail(err, -EIO, "%s: not a regular file", path);
        goto done;
    }
    text = malloc(TF_CONFIG_FILE_MAX + 1);
    if (!text) {
        r = tf_fail(err, -ENOMEM, "%s: no memory", path);
        goto done;
    }
    /* One byte more than allowed, so that a file that is too large is told from one that just fits. */
    while (size < TF_CONFIG_FILE_MAX + 1 && (n = read(fd, text + size, TF_CONFIG_FILE_MAX + 1 - size)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            r = tf_fail(err, -EIO, "%s: %s", path, strerror(errno));
            goto done;
        }
        size += (size_t)n;
    }
    r = parse_text(text, size, path, regions_only, faults, ret, err);
done:
    free(text);
    close(fd);
    return r;
}

int tf_config_load(const char *path, struct tf_config **ret, struct tf_error *err)
{
    return load(path, false, NULL, ret, err);
}

int tf_config_load_regions(const char *path, struct tf_config **ret, struct tf_error *err)
{
    return load(path, true, NULL, ret, err);
}

/* What is wrong with the file as a whole is a fault, too. */
static int checked(int r, const char *name, struct tf_config *config, const struct tf_error *err,
                   struct tf_config **ret, struct tf_config_faults *faults)
{
    if (r < 0 && !config)
        tf_config_faults_add(faults, name, err);
    *ret = config;
    return r;
}

int tf_config_check(const char *path, struct tf_config **ret, struct tf_config_faults *faults)
{
    struct tf_config *config = NULL;
    struct tf_error err = {0};
    int r = load(path, false, faults, &config, &err);

    return checked(r, path, config, &err, ret, faults);
}

int tf_config_check_text(const char *text, size_t size, const char *name, struct tf_config **ret,
                         struct tf_config_faults *faults)
{
    struct tf_config *config = NULL;
    struct tf_error err = {0};
    int r = parse_text(text, size, name, false, faults, &config, &err);

    return checked(r, name, config, &err, ret, faults);
}
