/* thermoface devices: the cameras of this machine and the table of camera formats. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/source.h"
#include "cli/commands.h"

#define DEVICES_MAX 64

static void print_device(const struct tf_device *d)
{
    printf("%s  %s (%s, %s)\n", d->path, *d->card ? d->card : "unknown device", d->driver, d->bus);
    if (strcmp(d->identity, d->path) != 0)
        printf("    configure as  %s%s\n", d->identity,
               d->twin ? "  (another camera here is of the same kind: by the port it is plugged into)" : "");
    else if (d->twin)
        puts("    warning       another camera here is of the same kind, and nothing but the number tells "
             "them "
             "apart");
    if (*d->by_path && strcmp(d->identity, d->by_path) != 0)
        printf("    by port       %s\n", d->by_path);
    if (*d->serial)
        printf("    serial        %s\n", d->serial);
    if (*d->problem) {
        printf("    problem       %s\n", d->problem);
        return;
    }
    printf("    format row    %s\n", *d->row ? d->row : "none fits; see 'thermoface devices --formats'");
    printf("    offers        %s\n", d->formats);
    printf("    controls      %s\n", *d->controls ? d->controls : "none");
}

static void print_rows(void)
{
    for (size_t i = 0; i < tf_format_count(); i++) {
        const struct tf_format *f = tf_format_at(i);
        char size[16] = "any size";
        if (f->width)
            snprintf(size, sizeof(size), "%ux%u", f->width, f->height);
        printf("%-24s %-10s %s%s\n", f->name, size, f->title, f->telemetry ? ", telemetry rows" : "");
    }
}

int tf_cmd_devices(int argc, char **argv)
{
    bool formats = false;
    const struct tf_bind bind[] = {
        {"formats", &formats},
        {0},
    };
    const struct tf_usage *usage = tf_command("devices");
    const char *arguments[TF_ARGUMENTS_MAX];
    struct tf_device *devices;
    struct tf_error err = {0};
    int status, n;

    if (!tf_options_parse(usage, bind, argc, argv, arguments, &status))
        return status;
    if (formats) {
        print_rows();
        return TF_EXIT_OK;
    }
    devices = calloc(DEVICES_MAX, sizeof(*devices));
    if (!devices)
        return tf_command_error(usage, "out of memory");
    n = tf_devices_list(devices, DEVICES_MAX, &err);
    if (n < 0) {
        status = tf_command_error(usage, "%s", *err.text ? err.text : strerror(-n));
    } else {
        for (int i = 0; i < n; i++)
            print_device(&devices[i]);
        if (n == 0)
            puts("No camera found. Is it plugged in, and may you read /dev/video*? (group 'video')\n"
                 "Without a camera: scripts/demo, or a recording with 'thermoface run'.");
        status = TF_EXIT_OK;
    }
    free(devices);
    return status;
}
