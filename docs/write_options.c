/*
 * thermoface-options man|completion|list PROGRAM [PAGE]: what the manual page and bash completion take from
 * the programs' tables of options. The build runs it (it is compiled for the machine that builds).
 *
 * man         PAGE with the line @SYNOPSIS@ and @OPTIONS@ replaced
 * completion  a script for bash
 * list        every option but --help of commands, "COMMAND --NAME" a line
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "cli/table.h"
#include "daemon/table.h"

static const struct tf_option help_option = {
    "help", TF_OPTION_FLAG, NULL, "show how it is used", .letter = 'h',
};

/* The option after `o` (NULL: the first), --help being the last; NULL past it. */
static const struct tf_option *next(const struct tf_usage *usage, const struct tf_option *o)
{
    if (o == &help_option)
        return NULL;
    o = !o ? usage->options : o + 1;
    return o && o->name ? o : &help_option;
}

/* Text for roff: hyphens that stay hyphens, no line that looks like a request. */
static void roff(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i == 0 && (text[i] == '.' || text[i] == '\''))
            fputs("\\&", stdout);
        if (text[i] == '-')
            fputs("\\-", stdout);
        else if (text[i] == '\\')
            fputs("\\e", stdout);
        else if (text[i] == '"')
            fputs("\\(dq", stdout);
        else
            putchar(text[i]);
    }
}

static void roff_text(const char *text)
{
    roff(text, strlen(text));
}

static void roff_notes(const char *notes)
{
    bool example = false;

    puts(".PP");
    while (notes) {
        size_t n = strcspn(notes, "\n");

        if ((*notes == ' ') != example) {
            puts(example ? ".fi\n.RE\n.PP" : ".PP\n.RS\n.nf");
            example = !example;
        }
        roff(notes + strspn(notes, " "), n - strspn(notes, " "));
        putchar('\n');
        notes = notes[n] ? notes + n + 1 : NULL;
    }
    if (example)
        puts(".fi\n.RE");
}

static void roff_option(const struct tf_option *o)
{
    puts(".TP");
    if (o->letter)
        printf(".BR \\-%c \", \" \\-\\-", o->letter);
    else
        fputs(".B \\-\\-", stdout);
    roff_text(o->name);
    if (o->argument) {
        fputs(o->letter ? " \" \" \\fI" : " \\fI", stdout);
        roff_text(o->argument);
        fputs("\\fR", stdout);
    }
    putchar('\n');
    roff_text(o->help);
    putchar('\n');
}

static void roff_usage(const struct tf_usage *usage)
{
    if (!usage->options) { /* a group */
        printf(".SS \"%s %s\"\n", usage->program, usage->command);
        roff_text(usage->summary);
        putchar('\n');
        if (usage->notes)
            roff_notes(usage->notes);
        return;
    }
    if (*usage->command) {
        printf(".SS \"%s %s%s", usage->program, usage->command, usage->arguments ? " " : "");
        if (usage->arguments)
            roff_text(usage->arguments);
        puts(" [OPTION]...\"");
        roff_text(usage->summary);
        putchar('\n');
    }
    /* --help of every command is said once, in the page. */
    for (const struct tf_option *o = NULL; (o = next(usage, o)) && (o != &help_option || !*usage->command);)
        roff_option(o);
    if (*usage->command && usage->notes)
        roff_notes(usage->notes);
}

static void roff_synopsis(const struct tf_usage *commands)
{
    for (const struct tf_usage *u = commands; u->command; u++) {
        if (!u->options)
            continue;
        printf("%s.B %s %s\n", u == commands ? "" : ".br\n", u->program, u->command);
        if (u->arguments) {
            fputs(".I ", stdout);
            roff_text(u->arguments);
            putchar('\n');
        }
        puts(".RI [ OPTION ]...");
    }
}

static int write_man(const struct tf_usage *commands, const char *page)
{
    FILE *f = fopen(page, "r");
    char line[1024];
    int markers = 0;

    if (!f) {
        perror(page);
        return 1;
    }
    while (fgets(line, sizeof(line), f)) {
        if (strcmp(line, "@SYNOPSIS@\n") == 0) {
            roff_synopsis(commands);
        } else if (strcmp(line, "@OPTIONS@\n") == 0) {
            for (const struct tf_usage *u = commands; u->command; u++)
                roff_usage(u);
            markers++;
        } else {
            fputs(line, stdout);
        }
    }
    fclose(f);
    if (markers == 1)
        return 0;
    fprintf(stderr, "%s: has no line @OPTIONS@, or several\n", page);
    return 1;
}

/* What completes a value: shell words for the functions in `functions`. NULL: nothing. */
static const char *action(enum tf_values values)
{
    switch (values) {
    case TF_VALUES_NONE:
        return NULL;
    case TF_VALUES_FILE:
        return "files";
    case TF_VALUES_FOLDER:
        return "folders";
    case TF_VALUES_CAMERA:
        return "ask cameras";
    case TF_VALUES_REGION:
        return "list regions";
    case TF_VALUES_FORMAT:
        return "ask formats";
    case TF_VALUES_PALETTE:
        return "ask palettes";
    case TF_VALUES_CPU:
        return "ask cpu";
    case TF_VALUES_ENCODER:
        return "ask encoders";
    }
    return NULL;
}

static void print_action(const char *program, enum tf_values values, const char *words)
{
    const char *does = action(values);

    if (words)
        printf(" _%s_words '%s';", program, words);
    if (does)
        printf(" _%s_%s;", program, does);
    if (!words && !does)
        fputs(" :;", stdout); /* a value that nobody can guess: no files either */
}

/* The functions that a completion is made of; a backtick stands for the program's name. */
static const char functions[] = "_`_words()\n"
                                "{\n"
                                "    local reply\n"
                                "    mapfile -t reply < <(compgen -W \"$1\" -- \"$cur\")\n"
                                "    COMPREPLY+=(\"${reply[@]}\")\n"
                                "}\n"
                                "_`_files()\n"
                                "{\n"
                                "    local reply\n"
                                "    compopt -o filenames 2>/dev/null\n"
                                "    mapfile -t reply < <(compgen -f -- \"$cur\")\n"
                                "    COMPREPLY+=(\"${reply[@]}\")\n"
                                "}\n"
                                "_`_folders()\n"
                                "{\n"
                                "    local reply\n"
                                "    compopt -o filenames 2>/dev/null\n"
                                "    mapfile -t reply < <(compgen -d -- \"$cur\")\n"
                                "    COMPREPLY+=(\"${reply[@]}\")\n"
                                "}\n";

/* These ask the program. */
static const char ask_functions[] =
    "_`_ask()\n"
    "{\n"
    "    local program=${COMP_WORDS[0]} url=() credentials=() ca=()\n"
    "    type \"$program\" >/dev/null 2>&1 || program=`\n"
    "    [[ $COMP_LINE =~ --url[=\\ ]([^\\ ]+) ]] && url=(--url \"${BASH_REMATCH[1]}\")\n"
    "    [[ $COMP_LINE =~ --credentials[=\\ ]([^\\ ]+) ]] && credentials=(--credentials "
    "\"${BASH_REMATCH[1]}\")\n"
    "    [[ $COMP_LINE =~ --ca[=\\ ]([^\\ ]+) ]] && ca=(--ca \"${BASH_REMATCH[1]}\")\n"
    "    _`_words \"$(\"$program\" complete \"$1\" \"${url[@]}\" \"${credentials[@]}\" \"${ca[@]}\" "
    "2>/dev/null)\"\n"
    "}\n"
    "# A list with commas: the last name of it.\n"
    "_`_list()\n"
    "{\n"
    "    local before=\n"
    "    [[ $cur != *,* ]] || before=${cur%,*},\n"
    "    cur=${cur##*,}\n"
    "    _`_ask \"$1\"\n"
    "    COMPREPLY=(\"${COMPREPLY[@]/#/$before}\")\n"
    "    compopt -o nospace 2>/dev/null\n"
    "}\n";

static void print_functions(const char *text, const char *program)
{
    for (; *text; text++)
        if (*text == '`')
            fputs(program, stdout);
        else
            putchar(*text);
}

static void print_options(const struct tf_usage *u)
{
    for (const struct tf_option *o = NULL; (o = next(u, o));)
        printf("%s--%s", o == u->options ? "" : " ", o->name);
}

/* The words that can follow `group` ("": the program itself). */
static void print_commands(const struct tf_usage *commands, const char *group)
{
    size_t n = strlen(group);
    const char *before = "";

    for (const struct tf_usage *u = commands; u->command; u++) {
        const char *word = u->command + n + (n ? 1 : 0);

        if (strncmp(u->command, group, n) != 0 || (n && u->command[n] != ' ') || strchr(word, ' '))
            continue;
        printf("%s%s", before, word);
        before = " ";
    }
}

static int write_completion(const struct tf_usage *commands, const char *program)
{
    bool single = !*commands->command;
    const char *between = "";

    printf("# bash completion for %s; made from its table of options when it was built.\n", program);
    print_functions(functions, program);
    if (!single)
        print_functions(ask_functions, program);
    printf("_%s()\n"
           "{\n"
           "    local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command= at=1\n"
           "    COMPREPLY=()\n"
           "    # \"--option=value\" comes as three words.\n"
           "    if [[ $cur == = ]]; then\n"
           "        cur=\n"
           "    elif [[ $previous == = && COMP_CWORD -gt 1 ]]; then\n"
           "        previous=${COMP_WORDS[COMP_CWORD-2]}\n"
           "    fi\n",
           program);
    if (!single) {
        fputs("    [[ COMP_CWORD -gt 1 && ${COMP_WORDS[1]} == help ]] && at=2\n"
              "    if ((COMP_CWORD > at)); then\n"
              "        command=${COMP_WORDS[at]}\n"
              "        case $command in\n        ",
              stdout);
        for (const struct tf_usage *u = commands; u->command; u++)
            if (!u->options) {
                printf("%s%s", between, u->command);
                between = " | ";
            }
        puts(")\n"
             "            ((COMP_CWORD > at + 1)) && command+=\" ${COMP_WORDS[at+1]}\"\n"
             "            ;;\n"
             "        esac\n"
             "    fi\n"
             "    if ((at == 2 && COMP_CWORD > at)); then\n"
             "        case $command in");
        for (const struct tf_usage *u = commands; u->command; u++)
            if (!u->options) {
                printf("        %s) _%s_words '", u->command, program);
                print_commands(commands, u->command);
                puts("' ;;");
            }
        puts("        esac\n"
             "        return\n"
             "    fi");
    }
    puts("    case \"$command $previous\" in");
    for (const struct tf_usage *u = commands; u->command; u++)
        for (const struct tf_option *o = NULL; u->options && (o = next(u, o));) {
            if (o->kind == TF_OPTION_FLAG)
                continue;
            printf("    '%s --%s'", u->command, o->name);
            if (o->letter)
                printf(" | '%s -%c'", u->command, o->letter);
            putchar(')');
            print_action(program, o->values, o->words);
            puts(" return ;;");
        }
    puts("    esac\n"
         "    case $command in");
    if (!single) {
        printf("    '') if [[ $cur == -* ]]; then _%s_words '--help --version'; else _%s_words '", program,
               program);
        print_commands(commands, "");
        puts(" help'; fi ;;");
    }
    for (const struct tf_usage *u = commands; u->command; u++) {
        printf("    '%s')", u->command);
        if (!u->options) {
            printf(" if [[ $cur == -* ]]; then _%s_words --help; else _%s_words '", program, program);
            print_commands(commands, u->command);
            puts("'; fi ;;");
            continue;
        }
        printf(" if [[ $cur == -* ]]; then _%s_words '", program);
        print_options(u);
        fputs("'; else", stdout);
        if (!u->arguments && !single) { /* nothing but options can follow */
            printf(" _%s_words '", program);
            print_options(u);
            fputs("';", stdout);
        } else {
            print_action(program, u->arguments_values, u->arguments_words);
        }
        puts(" fi ;;");
    }
    printf("    esac\n"
           "}\n"
           "complete -F _%s %s\n",
           program, program);
    return 0;
}

int main(int argc, char **argv)
{
    const struct tf_usage *commands =
        argc > 2 && strcmp(argv[2], "thermofaced") == 0 ? tf_daemon_usage : tf_commands;
    int result = 2;

    if (argc == 4 && strcmp(argv[1], "man") == 0) {
        result = write_man(commands, argv[3]);
    } else if (argc == 3 && strcmp(argv[1], "completion") == 0) {
        result = write_completion(commands, commands->program);
    } else if (argc == 3 && strcmp(argv[1], "list") == 0) {
        for (const struct tf_usage *u = commands; u->command; u++)
            for (const struct tf_option *o = NULL; u->options && (o = next(u, o));)
                if (o != &help_option || !*u->command)
                    printf("%s%s--%s\n", u->command, *u->command ? " " : "", o->name);
        result = 0;
    } else {
        fprintf(stderr, "usage: %s man PROGRAM PAGE | completion PROGRAM | list PROGRAM\n", argv[0]);
    }
    return fflush(stdout) || ferror(stdout) ? 1 : result;
}
