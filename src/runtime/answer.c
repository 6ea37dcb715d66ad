#include "runtime/connection_private.h"

#include <stdio.h>
#include <string.h>

/* GET_VALUES_RESULT for the names asked that we know (section 4.1). */
static int answer_values(Connection *c, int flags)
{
    const struct {
        const char *name;
        unsigned value;
    } known[] = {
        {"FCGI_MAX_CONNS", c->shared->max_connections},
        {"FCGI_MAX_REQS", c->shared->max_requests},
        {"FCGI_MPXS_CONNS", 0},
    };
    uint8_t record[FCGI_HEADER_SIZE + ARRAY_SIZE(known) * 32];
    uint8_t *p = record + FCGI_HEADER_SIZE;
    int r = fcgi_params_end(&c->values);

    if (r < 0)
        return connection_fail(c, "incomplete pair in GET_VALUES");
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        char text[16];
        int n;

        if (!fcgi_params_get(&c->values, known[i].name, NULL))
            continue;
        n = snprintf(text, sizeof(text), "%u", known[i].value);
        p = fcgi_put_pair(p, known[i].name, strlen(known[i].name), text, (size_t)n);
    }
    fcgi_params_done(&c->values);
    fcgi_put_header(record, FCGI_GET_VALUES_RESULT, FCGI_NULL_REQUEST_ID,
                    (size_t)(p - record) - FCGI_HEADER_SIZE, 0);
    return output_record(&c->shared->output, c->fd, flags, record, (size_t)(p - record));
}

int connection_answer(Connection *c, const FcgiEvent *event, int flags)
{
    uint8_t record[FCGI_END_REQUEST_SIZE];

    switch (event->kind) {
    case FCGI_EVENT_GET_VALUES:
        if (fcgi_params_push(&c->values, event->data, event->size) < 0)
            return connection_fail(c, "GET_VALUES is too large");
        return 0;
    case FCGI_EVENT_GET_VALUES_END:
        return answer_values(c, flags);
    case FCGI_EVENT_UNKNOWN_TYPE:
        fcgi_put_unknown_type(record, event->type);
        break;
    case FCGI_EVENT_UNKNOWN_ROLE:
        fcgi_put_end_request(record, event->request_id, 0, FCGI_UNKNOWN_ROLE);
        break;
    case FCGI_EVENT_SECOND_REQUEST:
        fcgi_put_end_request(record, event->request_id, 0, FCGI_CANT_MPX_CONN);
        break;
    default:
        return 0;
    }
    return output_record(&c->shared->output, c->fd, flags, record, sizeof(record));
}
