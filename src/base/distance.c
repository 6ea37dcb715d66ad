#include "base/distance.h"

#include "base/macro.h"

#include <ctype.h>

unsigned text_distance(const char *a, size_t n, const char *b, size_t m)
{
    /* All that the next row needs. */
    unsigned rows[3][TEXT_DISTANCE_MAX + 1];

    for (size_t j = 0; j <= m; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        unsigned *row = rows[i % 3], *before = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            char x = (char)tolower((unsigned char)a[i - 1]), y = b[j - 1];
            unsigned best = before[j - 1] + (x != y);

            best = MIN(best, before[j] + 1);
            best = MIN(best, row[j - 1] + 1);
            if (i > 1 && j > 1 && x == b[j - 2] && tolower((unsigned char)a[i - 2]) == y)
                best = MIN(best, second[j - 2] + 1);
            row[j] = best;
        }
    }
    return rows[n % 3][m];
}
