/* The table as texts: --help-config, the example file, the manual page, the list in docs/configuration.md. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/table.h"

/* Words of `text` in lines of at most `width` bytes, each but the first begun with `indent`; `column` bytes
 * stand in the first line already. */
static void wrap_more(FILE *f, const char *indent, const char *text, size_t width, size_t column)
{
    bool blank = false;

    while (*text) {
        size_t word = strcspn(text, " ");

        if (blank && column + 1 + word > width) {
            fprintf(f, "\n%s", indent);
            column = strlen(indent);
        } else if (blank) {
            fputc(' ', f);
            column++;
        }
        fwrite(text, 1, word, f);
        column += word;
        blank = true;
        text += word;
        text += strspn(text, " ");
    }
    fputc('\n', f);
}

static void wrap(FILE *f, const char *indent, const char *text, size_t width)
{
    fputs(indent, f);
    wrap_more(f, indent, text, width, strlen(indent));
}

/* "A path. Not set by default." and the like: what every text says of a key beside its help. */
static void describe(const struct tf_key *key, char *text, size_t size)
{
    char value[256];
    int n;

    tf_value_describe(key, value, sizeof(value));
    if (value[0] >= 'a' && value[0] <= 'z' && (key->type == TF_VALUE_BOOL || !key->choices))
        value[0] = (char)(value[0] - 'a' + 'A');
    n = snprintf(text, size, "%s.", value);
    if (key->required)
        n += snprintf(text + n, size - (size_t)n, " Required.");
    else if (key->fallback)
        n += snprintf(text + n, size - (size_t)n, " Default: %s.", key->fallback);
    else
        n += snprintf(text + n, size - (size_t)n, " Not set by default.");
    if (key->live)
        snprintf(text + n, size - (size_t)n, " Can change on reload.");
}

static void title(enum tf_section section, char *text, size_t size)
{
    snprintf(text, size, tf_section_is_named(section) ? "[%s NAME]" : "[%s]", tf_sections[section].name);
}

/* Calls `section` at each section's start and `key` for each key, in the table's order. */
static char *write_table(void (*start)(FILE *), void (*section)(FILE *, enum tf_section),
                         void (*key)(FILE *, const struct tf_key *), void (*end)(FILE *))
{
    char *text = NULL;
    size_t size = 0;
    int current = -1;
    bool failed;
    FILE *f = open_memstream(&text, &size);

    if (!f)
        return NULL;
    start(f);
    for (size_t i = 0; i < tf_key_count; i++) {
        if ((int)tf_keys[i].section != current) {
            current = (int)tf_keys[i].section;
            section(f, tf_keys[i].section);
        }
        key(f, &tf_keys[i]);
    }
    if (end)
        end(f);
    failed = ferror(f) != 0;
    if (fclose(f) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

static void help_start(FILE *f)
{
    fputs("The configuration of thermofaced: sections in brackets, then lines key=value. Lines that begin "
          "with # or ; are\n"
          "comments, as is what follows \" ;\" in a line.\n",
          f);
}

static void help_section(FILE *f, enum tf_section section)
{
    char name[32];

    title(section, name, sizeof(name));
    fprintf(f, "\n%s\n", name);
    wrap(f, "  ", tf_sections[section].help, 100);
}

static void help_key(FILE *f, const struct tf_key *key)
{
    char what[512];

    describe(key, what, sizeof(what));
    fprintf(f, "\n  %s\n", key->name);
    wrap(f, "      ", key->help, 100);
    wrap(f, "      ", what, 100);
}

char *tf_config_help(void)
{
    return write_table(help_start, help_section, help_key, NULL);
}

static void example_start(FILE *f)
{
    fputs("# Configuration of thermofaced. Every key is here; those behind a # have the default shown.\n"
          "# \"thermofaced --config FILE --check-config\" checks a file, thermofaced.conf(5) explains it.\n",
          f);
}

static void example_section(FILE *f, enum tf_section section)
{
    fputc('\n', f);
    wrap(f, "# ", tf_sections[section].help, 100);
    if (section == TF_SECTION_CAMERA)
        fputs("[camera thermal]\n", f);
    else if (section == TF_SECTION_PAIR) /* needs a second camera */
        fputs("# [pair rig]\n", f);
    else if (section == TF_SECTION_REGION)
        fputs("# [region temple_right]\n", f);
    else if (section == TF_SECTION_TRIGGER)
        fputs("# [trigger button]\n", f);
    else
        fprintf(f, "[%s]\n", tf_sections[section].name);
}

static void example_key(FILE *f, const struct tf_key *key)
{
    char what[512];

    describe(key, what, sizeof(what));
    fputc('\n', f);
    wrap(f, "# ", key->help, 100);
    wrap(f, "# ", what, 100);
    if (key->sample)
        fprintf(f, "%s=%s\n", key->name, key->sample);
    else
        fprintf(f, "#%s%s=%s\n",
                tf_section_is_named(key->section) && key->section != TF_SECTION_CAMERA ? " " : "", key->name,
                key->fallback ? key->fallback : "");
}

char *tf_config_example(void)
{
    return write_table(example_start, example_section, example_key, NULL);
}

/* roff: a backslash, a hyphen that is meant as one, and a line that begins with a dot or apostrophe need
 * care. */
static void roff(FILE *f, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", f);
    for (; *text; text++)
        if (*text == '\\')
            fputs("\\e", f);
        else if (*text == '-')
            fputs("\\-", f);
        else
            fputc(*text, f);
}

static void manual_start(FILE *f)
{
    fputs(".\\\" Written from config/table.c by thermoface-config-text; do not edit.\n"
          ".TH THERMOFACED.CONF 5 \"\" thermoface \"File formats\"\n"
          ".SH NAME\nthermofaced.conf \\- configuration of thermofaced\n"
          ".SH SYNOPSIS\n.I /etc/thermoface/thermofaced.conf\n"
          ".SH DESCRIPTION\n"
          "Sections in brackets, then lines\n.IR key = value .\n"
          "Lines that begin with # or ; are comments, as is what follows a blank and a ; in a line. A "
          "section, a camera's\n"
          "name and a key may stand once. An unknown section or key, a bad value or a contradiction is an "
          "error that\n"
          "names file and line. The file has at most 256 KiB, a line at most 198 bytes.\n.PP\n"
          "On SIGHUP the file is read again. Keys marked\n.B reload\ntake effect at once; of others that "
          "changed the log\n"
          "says that they await a restart.\n",
          f);
}

static void manual_section(FILE *f, enum tf_section section)
{
    char name[32];

    title(section, name, sizeof(name));
    fprintf(f, ".SH \"%s\"\n", name);
    roff(f, tf_sections[section].help);
    fputc('\n', f);
}

static void manual_key(FILE *f, const struct tf_key *key)
{
    char value[256];

    tf_value_describe(key, value, sizeof(value));
    fputs(".TP\n.B ", f);
    roff(f, key->name);
    fputc('\n', f);
    roff(f, key->help);
    fputs("\n.br\nValue: ", f);
    roff(f, value);
    if (key->required)
        fputs("; required", f);
    else if (key->fallback) {
        fputs("; default: ", f);
        roff(f, key->fallback);
    } else {
        fputs("; not set by default", f);
    }
    fputs(key->live ? ";\n.BR reload .\n" : ".\n", f);
}

static void manual_end(FILE *f)
{
    fputs(".SH CREDENTIALS\n"
          "A credentials file holds user:password in its first line. The unit passes "
          "/etc/credstore/thermoface.rtsp,\n"
          "/etc/credstore/thermoface.http and /etc/credstore/thermoface.mqtt to the service where they "
          "exist, and the keys need not be set. "
          "Without\n"
          "credentials a server listens on a loopback address only.\n"
          ".SH EXAMPLE\n.nf\n"
          "[camera "
          "thermal]\nsource=/dev/v4l/by\\-id/"
          "usb\\-GroupGets_PureThermal*\nformat=lepton3\\-y16\\-telemetry\nrotate=90\n\n"
          "[recording]\ncsv=/var/lib/thermoface/%n\\-%t.csv\n.fi\n"
          ".SH SEE ALSO\n.BR thermofaced (8),\n.BR thermoface (1)\n",
          f);
}

char *tf_config_manual(void)
{
    return write_table(manual_start, manual_section, manual_key, manual_end);
}

static void markdown_start(FILE *f)
{
}

static void markdown_section(FILE *f, enum tf_section section)
{
    char name[32];

    title(section, name, sizeof(name));
    fprintf(f, "\n### %s\n\n", name);
    wrap(f, "", tf_sections[section].help, 100);
    fputc('\n', f);
}

static void markdown_key(FILE *f, const struct tf_key *key)
{
    char value[256], text[1536];

    tf_value_describe(key, value, sizeof(value));
    snprintf(text, sizeof(text), "`%s` (%s; %s%s%s): %s", key->name, value,
             key->required   ? "required"
             : key->fallback ? "default: "
                             : "not set by default",
             !key->required && key->fallback ? key->fallback : "", key->live ? "; reload" : "", key->help);
    /* A list, since no table of such sentences is legible in a terminal or an editor. */
    fputs("- ", f);
    wrap_more(f, "  ", text, 100, 2);
}

char *tf_config_markdown(void)
{
    return write_table(markdown_start, markdown_section, markdown_key, NULL);
}
