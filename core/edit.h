/*
 * edit.h - a line editor with a history: libedit, character by character.
 *
 * Knows neither Lua nor the loop: input.c calls rille_edit_read whenever the
 * terminal is readable. libedit keeps one editor per process, in statics of
 * its own, so there is nothing to pass here. Without
 * HAVE_LIBEDIT there is no editor and every call does nothing.
 */
#ifndef RILLE_EDIT_H
#define RILLE_EDIT_H

#ifdef HAVE_LIBEDIT

#define RILLE_EDIT_BUILT 1

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

#else

#define RILLE_EDIT_BUILT 0

static inline void rille_edit_start(const char *prompt,
                                    void (*on_line)(char *line)) {
  (void)prompt, (void)on_line;
}
static inline void rille_edit_read(void) {}
static inline void rille_edit_stop(void) {}
static inline void rille_edit_hide(void) {}
static inline void rille_edit_show(void) {}
static inline void rille_edit_remember(const char *line) { (void)line; }
static inline void rille_edit_load(const char *path) { (void)path; }
static inline void rille_edit_save(const char *path) { (void)path; }

#endif

#endif
