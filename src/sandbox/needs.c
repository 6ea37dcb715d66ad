#include "sandbox/needs.h"

/* A file that is replaced by another of the same name is not the one that was allowed any more, and
 * counts again from the next generation on. So folders are named where they hold nothing else. */
static const Need table[] = {
    {"/usr/lib", NEED_READ, "libraries, extensions, character sets (gconv), locales"},
    {"/usr/lib32", NEED_READ, "libraries"},
    {"/usr/lib64", NEED_READ, "libraries"},
    {"/usr/libexec", NEED_READ, "helpers of programs"},
    {"/usr/share", NEED_READ,
     "time zones, certificates, PHP's include_path, ICU, fonts, types of files"},
    {"/usr/bin", NEED_READ, "programs: executing one reads it"},
    {"/usr/sbin", NEED_READ, "programs: sendmail, for mail()"},
    {"/usr/local/lib", NEED_READ, "libraries and extensions that are not of the distribution"},
    {"/usr/local/share", NEED_READ, "fonts, certificates of the site"},
    {"/usr/local/bin", NEED_READ, "programs"},
    {"/usr/local/sbin", NEED_READ, "programs"},
    {"/lib", NEED_READ, "libraries, where /usr is apart"},
    {"/lib64", NEED_READ, "libraries, where /usr is apart"},
    {"/bin", NEED_READ, "programs, where /usr is apart"},
    {"/sbin", NEED_READ, "programs, where /usr is apart"},

    {"/etc/ld.so.cache", NEED_READ, "where libraries are"},
    {"/etc/ld.so.preload", NEED_READ, "libraries that the administrator adds to every program"},
    {"/etc/localtime", NEED_READ, "time zone of the machine"},
    {"/etc/timezone", NEED_READ, "its name"},
    {"/etc/locale.alias", NEED_READ, "setlocale()"},
    {"/etc/nsswitch.conf", NEED_READ, "which sources names of hosts and users come from"},
    {"/etc/resolv.conf", NEED_READ, "name servers"},
    {"/run/systemd/resolve", NEED_READ, "name servers, where resolv.conf leads there"},
    {"/run/resolvconf", NEED_READ, "the same"},
    {"/run/NetworkManager", NEED_READ, "the same"},
    {"/run/connman", NEED_READ, "the same"},
    {"/etc/hosts", NEED_READ, "names of hosts"},
    {"/etc/host.conf", NEED_READ, "how names of hosts are looked up"},
    {"/etc/gai.conf", NEED_READ, "which of several addresses comes first"},
    {"/etc/services", NEED_READ, "getservbyname()"},
    {"/etc/protocols", NEED_READ, "getprotobyname()"},
    {"/etc/passwd", NEED_READ, "names of users: posix_getpwuid(), sendmail"},
    {"/etc/group", NEED_READ, "names of groups"},
    {"/etc/ssl/certs", NEED_READ, "certificates that TLS connections trust"},
    {"/etc/ssl/openssl.cnf", NEED_READ, "settings of OpenSSL"},
    {"/etc/gnutls", NEED_READ, "settings of GnuTLS"},
    {"/etc/pki/tls/certs", NEED_READ, "certificates, in other distributions"},
    {"/etc/pki/tls/openssl.cnf", NEED_READ, "settings of OpenSSL, in other distributions"},
    {"/etc/pki/ca-trust/extracted", NEED_READ, "certificates, in other distributions"},
    {"/etc/crypto-policies", NEED_READ, "which ciphers are allowed, in other distributions"},
    {"/etc/ca-certificates/extracted", NEED_READ, "certificates, in other distributions"},
    {"/etc/krb5.conf", NEED_READ, "Kerberos, in imap and ldap"},
    {"/etc/krb5.conf.d", NEED_READ, "the same"},
    {"/etc/ldap/ldap.conf", NEED_READ, "defaults of the ldap extension"},
    {"/etc/odbc.ini", NEED_READ, "data sources of the odbc extension"},
    {"/etc/odbcinst.ini", NEED_READ, "its drivers"},
    {"/etc/freetds", NEED_READ, "settings of pdo_dblib"},
    {"/etc/fonts", NEED_READ, "fonts, in imagick and gd"},
    {"/var/cache/fontconfig", NEED_READ, "the same"},
    {"/etc/ImageMagick-6", NEED_READ, "policy.xml: without it ImageMagick would be less strict"},
    {"/etc/ImageMagick-7", NEED_READ, "the same"},
    {"/etc/magic", NEED_READ, "types of files"},
    {"/etc/magic.mime", NEED_READ, "types of files"},
    {"/etc/mime.types", NEED_READ, "types of files"},

    {"/proc", NEED_READ,
     "/proc/self of each process, whose number is not known beforehand; load and memory of the "
     "machine. Other users' processes are hidden by the unit, siblings' memory and descriptors by "
     "the kernel"},
    {"/sys/devices/system/cpu", NEED_READ, "the number of processors"},
    {"/sys/devices/system/node", NEED_READ, "the same, in libraries for numbers"},
    {"/sys/kernel/mm/transparent_hugepage", NEED_READ, "allocators of memory"},

    {"/dev/null", NEED_DEVICE, "programs' input and output"},
    {"/dev/zero", NEED_DEVICE, "memory"},
    {"/dev/full", NEED_DEVICE, "tests of programs"},
    {"/dev/random", NEED_DEVICE, "random numbers"},
    {"/dev/urandom", NEED_DEVICE, "random numbers"},

    {"/tmp", NEED_SCRATCH, "uploads and temporary files; with PrivateTmp= the pool's own"},
    {"/var/tmp", NEED_SCRATCH, "temporary files; with PrivateTmp= the pool's own"},

    /* The kernel asks for the right to execute it, as for that of the program. */
    {"/lib64/ld-linux-x86-64.so.2", NEED_LOADER, "loads every program that is executed"},
    {"/lib/ld-linux-aarch64.so.1", NEED_LOADER, "the same, on other processors"},
    {"/lib/ld-linux-armhf.so.3", NEED_LOADER, "the same"},
    {"/lib/ld-linux-riscv64-lp64d.so.1", NEED_LOADER, "the same"},
    {"/lib64/ld64.so.2", NEED_LOADER, "the same"},
    {"/lib/ld64.so.1", NEED_LOADER, "the same"},
};

const char *need_right_to_string(NeedRight right)
{
    static const char *const words[_NEED_RIGHT_MAX] = {
        [NEED_READ] = "read",
        [NEED_DEVICE] = "read and write",
        [NEED_SCRATCH] = "read, write, make and remove files",
        [NEED_LOADER] = "execute",
    };

    return right < _NEED_RIGHT_MAX ? words[right] : "unknown";
}

const Need *needs(size_t *ret_n)
{
    *ret_n = ARRAY_SIZE(table);
    return table;
}
