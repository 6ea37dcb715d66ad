#include "conf/verify.h"
#include "ctl/compare.h"

#include <string.h>

/* systemd fails the socket for a name that it cannot find, and setfacl likewise. */
int names_check(const PoolConfig *c, const UnitSettings *s, ConfigIssues *issues)
{
    static const struct {
        const char *setting, *directives[2];
    } users[] = {
        {"SocketUser", {"listen.owner"}},
        {"SocketGroup", {"listen.group"}},
        {"ExecStartPost", {"listen.acl_users", "listen.acl_groups"}},
    };
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
        bool found = false;

        for (size_t k = 0; !found && k < s->n; k++)
            found = strcmp(s->items[k].name, users[i].setting) == 0;
        for (size_t k = 0; found && r == 0 && k < 2 && users[i].directives[k]; k++)
            r = config_verify_socket_names(c, users[i].directives[k], CONFIG_ERROR, issues);
    }
    return r;
}
