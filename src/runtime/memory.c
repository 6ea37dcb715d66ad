#include "runtime/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static int statm_fd = -1;

void memory_init(void)
{
    /* The file is that of the process which opens it. */
    statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
}

uint64_t memory_resident_bytes(void)
{
    unsigned long long total, resident;
    struct rusage usage;
    char text[128];
    ssize_t n = statm_fd >= 0 ? pread(statm_fd, text, sizeof(text) - 1, 0) : -1;

    if (n > 0) {
        text[n] = 0;
        if (sscanf(text, "%llu %llu", &total, &resident) == 2)
            return resident * (uint64_t)sysconf(_SC_PAGESIZE);
    }
    if (getrusage(RUSAGE_SELF, &usage) < 0 || usage.ru_maxrss < 0)
        return 0;
    return (uint64_t)usage.ru_maxrss * 1024;
}
