#include "ctl/compare.h"

#include "unit/wants.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* PHP's own default on Debian, whose first word counts. */
#define SENDMAIL "/usr/sbin/sendmail"
/* Postfix: sendmail itself is not set-id, it hands the message to this one. */
#define POSTDROP "/usr/sbin/postdrop"

static bool is_set_id(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & (S_ISUID | S_ISGID)) != 0;
}

/* The program of sendmail_path; *ret_directive NULL: nobody has set it. NULL: no memory. */
static char *find_program(const PoolConfig *c, const char **ret_directive)
{
    const char *text = SENDMAIL;

    *ret_directive = NULL;
    for (size_t i = 0; i < c->n_ini; i++)
        if (strcmp(c->ini[i].key, "sendmail_path") == 0) {
            text = c->ini[i].text + strspn(c->ini[i].text, " \"'");
            *ret_directive = "sendmail_path";
        }
    return strndup(text, strcspn(text, " \"'\t"));
}

/* A pool that cannot call mail() needs no mailer. */
static bool has_mail(const PoolConfig *c)
{
    for (size_t i = 0; i < c->n_ini; i++) {
        const char *found =
            strcmp(c->ini[i].key, "disable_functions") == 0 ? strstr(c->ini[i].text, "mail") : NULL;

        if (found && (found == c->ini[i].text || strchr(", \"'", found[-1])) &&
            strchr(", \"'", found[strlen("mail")]))
            return false;
    }
    return true;
}

static bool is_postfix(const char *program)
{
    _cleanup_free_ char *real = realpath(program, NULL);
    const char *slash = real ? strrchr(real, '/') : NULL;

    /* Debian diverts nothing: the mailer that is installed owns /usr/sbin/sendmail. */
    return slash && strcmp(slash, "/sendmail") == 0 && is_set_id(POSTDROP);
}

void sendmail_check(const PoolConfig *c, ConfigIssues *issues)
{
    const char *directive, *culprit = NULL;
    _cleanup_free_ char *program = find_program(c, &directive);

    if (!program || c->chroot || !has_mail(c))
        return;
    if (is_set_id(program))
        culprit = program;
    else if (is_postfix(program))
        culprit = POSTDROP;
    if (!culprit)
        return;
    unit_issue(issues, CONFIG_WARNING, c, directive ? directive : "sendmail_path",
               "mail() of this pool will fail: %s needs its set-id bit, which NoNewPrivileges= of "
               "the service unit turns off; expected a mailer that does without, as in "
               "php_admin_value[sendmail_path] = /usr/bin/msmtp -t",
               culprit);
}
