#pragma once

/*
 * The ways by which a script can write to the worker's stdout and stderr: php://stdout,
 * php://stderr and php://fd, and programs that it starts. Each tells which request it is first
 * (runtime/mark.h); a request that uses none costs nothing.
 */

/** After PHP's start-up: stands in front of them. 0 or -errno. */
int writers_init(void);
