/* Prints an EDF+ file as JSON, read by EDFlib: what another program makes of our files. */
#include <edflib.h>
#include <stdio.h>
#include <stdlib.h>

static void text(const char *c)
{
    putchar('"');
    for (; *c; c++)
        printf(*c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
    putchar('"');
}

int main(int argc, char **argv)
{
    static struct edf_hdr_struct h;

    if (argc != 2 || edfopen_file_readonly(argv[1], &h, EDFLIB_READ_ALL_ANNOTATIONS) != 0) {
        fprintf(stderr, "EDFlib: error %d\n", h.filetype);
        return 1;
    }
    printf("{\"filetype\":%d,\"duration\":%lld,\"subsecond\":%lld,\"start\":[%d,%d,%d,%d,%d,%d],\"patient\":",
           h.filetype, h.file_duration, h.starttime_subsecond, h.startdate_year, h.startdate_month,
           h.startdate_day, h.starttime_hour, h.starttime_minute, h.starttime_second);
    text(h.patientcode);
    printf(",\"equipment\":");
    text(h.equipment);
    printf(",\"signals\":[");
    for (int i = 0; i < h.edfsignals; i++) {
        const struct edf_param_struct *s = &h.signalparam[i];
        int n = (int)s->smp_in_file;
        double *values = calloc((size_t)n, sizeof(*values));
        int *digital = calloc((size_t)n, sizeof(*digital));

        edfread_physical_samples(h.handle, i, n, values);
        edfrewind(h.handle, i);
        edfread_digital_samples(h.handle, i, n, digital);
        printf("%s{\"label\":", i ? "," : "");
        text(s->label);
        printf(",\"unit\":");
        text(s->physdimension);
        printf(",\"rate\":%d,\"values\":[", s->smp_in_datarecord);
        for (int k = 0; k < n; k++)
            printf("%s%.9g", k ? "," : "", values[k]);
        printf("],\"digital\":[");
        for (int k = 0; k < n; k++)
            printf("%s%d", k ? "," : "", digital[k]);
        printf("]}");
        free(values);
        free(digital);
    }
    printf("],\"annotations\":[");
    for (long long i = 0; i < h.annotations_in_file; i++) {
        struct edf_annotation_struct a;

        edf_get_annotation(h.handle, (int)i, &a);
        printf("%s[%.7f,%.7f,", i ? "," : "", (double)a.onset / 1e7, (double)a.duration_l / 1e7);
        text(a.annotation);
        printf("]");
    }
    printf("]}\n");
    edfclose_file(h.handle);
    return 0;
}
