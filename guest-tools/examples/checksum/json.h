// Reads one text out of a JSON object.

#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Finds the member `key` of the object in `json` and writes its text, without the escapes, to
// `text`, which has room for `length` bytes: no text is longer than its JSON. `written` becomes
// its length in bytes. False if there is no such member, or if it is no text.
bool json_text(const uint8_t *json, size_t length, const char *key, uint8_t *text, size_t *written);

#endif
