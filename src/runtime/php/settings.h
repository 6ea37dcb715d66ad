#pragma once

/*
 * Settings of PHP: those of the pool, those that come with a request, those of folders and hosts.
 */

#include "base/buffer.h"
#include "link/spec.h"

/** Appends the pool's settings as ini text for sapi_module.ini_entries: they are in force before
 * any module starts. 0 or -ENOMEM. */
int settings_write(const RuntimeSpec *spec, Buffer *b);

/** The setting in a line (from 1) of what settings_write() wrote, or the one that could not be read
 * later: for messages about the syntax. */
const char *settings_name_of_line(unsigned line);

/** After start-up: locks what the pool's administrator set, warns of settings that nobody knows.
 * spec is borrowed. */
void settings_lock(const RuntimeSpec *spec);

/** PHP_VALUE and PHP_ADMIN_VALUE of the request, before its start-up; PHP undoes them at its end.
 */
void settings_apply_request(void);

/** [HOST=] and [PATH=] sections and .user.ini files; the sapi_module's activate. */
int settings_activate(void);

/** Registers cgi.* and fastcgi.*, when the module starts. */
void settings_register(int type, int module_number);
