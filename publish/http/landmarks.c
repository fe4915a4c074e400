/* The readers of /landmarks: their connections sleep until there is a record. */
#include <errno.h>
#include <stdlib.h>

#include "publish/http/server.h"

#define STREAM_CHUNK (64 * 1024)

/* Each camera in turn gives what fits: none can keep another's records back. */
static size_t read_readers(struct tf_http_client *client, char *buffer, size_t max)
{
    size_t n = 0;

    for (int tried = 0; tried < client->count; tried++) {
        struct tf_stream_reader *reader = client->readers[client->turn];

        n += tf_stream_reader_read(reader, buffer + n, max - n);
        if (tf_stream_reader_within(reader) || n == max)
            break;
        client->turn = (client->turn + 1) % client->count;
    }
    return n;
}

static ssize_t read_stream(void *context, uint64_t position, char *buffer, size_t max)
{
    struct tf_http_client *client = context;
    size_t n;

    if (atomic_load(&client->http->stopping))
        return MHD_CONTENT_READER_END_OF_STREAM;
    n = read_readers(client, buffer, max);
    if (n)
        return (ssize_t)n;
    if (tf_http_peer_closed(client->connection))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    client->suspended = true;
    MHD_suspend_connection(client->connection);
    return 0;
}

static void free_client(struct tf_http_client *client)
{
    for (int i = 0; i < client->count; i++)
        tf_stream_reader_destroy(client->readers[i]);
    free(client);
}

static void close_stream(void *context)
{
    struct tf_http_client *client = context;

    for (struct tf_http_client **at = &client->http->clients; *at; at = &(*at)->next)
        if (*at == client) {
            *at = client->next;
            break;
        }
    client->http->client_count--;
    free_client(client);
}

enum MHD_Result tf_http_open_stream(struct tf_http_request *q, const char *const *cameras, int count)
{
    struct tf_http *http = q->http;
    struct tf_http_client *client;
    struct MHD_Response *response;
    enum MHD_Result result;

    if (http->client_count >= http->options.clients_max)
        return tf_http_error(q, 503, "all %u places for readers of records are taken",
                             http->options.clients_max);
    if (q->head) { /* libmicrohttpd would end its chunks, of which HEAD has none */
        response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
        if (response)
            MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
        return tf_http_queue(q, 200, "application/x-ndjson", response);
    }
    client = calloc(1, sizeof(*client));
    while (client && client->count < count) {
        struct tf_stream *stream = tf_http_stream(http, cameras[client->count]);

        if (!stream || tf_stream_reader_create(stream, &client->readers[client->count]) < 0) {
            free_client(client);
            client = NULL;
        } else {
            client->count++;
        }
    }
    if (!client)
        return tf_http_error(q, 500, "no memory");
    client->http = http;
    client->connection = q->connection;
    client->next = http->clients;
    http->clients = client;
    http->client_count++;
    response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_CHUNK, read_stream, client, close_stream);
    if (!response)
        close_stream(client);
    result = tf_http_queue(q, 200, "application/x-ndjson", response);
    if (result == MHD_YES)
        tf_place_enter(&http->places, q->place, TF_PLACE_STREAMING, q->t_mono_ns);
    return result;
}

static bool client_ready(const struct tf_http_client *client)
{
    for (int i = 0; i < client->count; i++)
        if (tf_stream_reader_ready(client->readers[i]))
            return true;
    return false;
}

void tf_http_resume_clients(struct tf_http *http, bool all)
{
    for (struct tf_http_client *c = http->clients; c; c = c->next)
        if (c->suspended && (all || client_ready(c))) {
            c->suspended = false;
            MHD_resume_connection(c->connection);
        }
}
