#pragma once

/*
 * Records about peers of a worker. At most one of each kind in a second: whoever can connect could
 * fill the journal. The next record says how many were left out.
 */

/** Bytes that are not FastCGI, or beyond the limits of requests; error: what is wrong with them.
 * The slot counts them all. */
void complain_broken(const char *error);

/** A client that listen.allowed_clients does not allow. */
void complain_refused(const char *address);
