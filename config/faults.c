/* Faults of a configuration, in the order of their lines. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/parse.h"

bool tf_parse_over(const struct tf_parse *p)
{
    return p->result && (!p->faults || p->result == -ENOMEM);
}

void tf_config_faults_add(struct tf_config_faults *faults, const char *path, const struct tf_error *err)
{
    size_t n = strlen(path), at;
    int line = INT_MAX;

    if (strncmp(err->text, path, n) != 0 || sscanf(err->text + n, ":%d:", &line) != 1)
        line = INT_MAX;
    for (at = faults->count; at && faults->lines[at - 1] > line; at--)
        ;
    if (at && strcmp(faults->at[at - 1].text, err->text) == 0)
        return;
    if (faults->count == TF_CONFIG_FAULTS_MAX) {
        faults->more++;
        if (at == TF_CONFIG_FAULTS_MAX)
            return;
        faults->count--; /* the last makes room */
    }
    memmove(&faults->at[at + 1], &faults->at[at], (faults->count - at) * sizeof(faults->at[0]));
    memmove(&faults->lines[at + 1], &faults->lines[at], (faults->count - at) * sizeof(faults->lines[0]));
    faults->at[at] = *err;
    faults->lines[at] = line;
    faults->count++;
}

int tf_parse_fault(struct tf_parse *p, int line, int code, const char *format, ...)
{
    struct tf_error err = {0};
    va_list args;

    va_start(args, format);
    tf_vfail(&err, code, format, args);
    va_end(args);
    if (line)
        tf_error_prefix(&err, "%s:%d", p->name, line);
    else
        tf_error_prefix(&err, "%s", p->name);
    p->errors++;
    if (p->faults)
        tf_config_faults_add(p->faults, p->name, &err);
    if (p->result && (code != -ENOMEM || !p->faults))
        return code;
    p->result = code;
    p->error_line = line;
    if (p->err)
        *p->err = err;
    return code;
}

const struct tf_key *tf_parse_key(int section, const char *name)
{
    for (size_t i = 0; i < tf_key_count; i++)
        if ((int)tf_keys[i].section == section && strcmp(tf_keys[i].name, name) == 0)
            return &tf_keys[i];
    return NULL;
}
