/*
 * edit.h - a line editor with a history: libedit, character by character.
 *
 * Knows neither Lua nor the loop: input.c calls rille_edit_read whenever the
 * terminal is readable. libedit keeps one editor per process, in statics of
 * its own, so there is nothing to pass here. Built only where libedit is.
 */
#ifndef RILLE_EDIT_H
#define RILLE_EDIT_H

/* Shows `prompt` and begins a line. `on_line` gets it, malloc'd, or NULL at
 * the end of the input; the terminal is back in its own mode by then. */
void rille_edit_start(const char *prompt, void (*on_line)(char *line));

/* Takes one key from the terminal, which must be readable. */
void rille_edit_read(void);

/* Drops the line being edited and restores the terminal. Idempotent. */
void rille_edit_stop(void);

/* Takes prompt and line off the screen, and draws them again. */
void rille_edit_hide(void);
void rille_edit_show(void);

/* The history: in memory, and from and to a file. A file that cannot be read
 * or written is no error. */
void rille_edit_remember(const char *line);
void rille_edit_load(const char *path);
void rille_edit_save(const char *path);

#endif
