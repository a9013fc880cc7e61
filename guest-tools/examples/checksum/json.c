#include "json.h"

#include <string.h>

typedef struct {
    const uint8_t *at;
    const uint8_t *end;
} reader;

static void skip_space(reader *in) {
    while (in->at < in->end && memchr(" \t\r\n", *in->at, 4)) in->at++;
}

static bool take(reader *in, uint8_t byte) {
    skip_space(in);
    if (in->at == in->end || *in->at != byte) return false;
    in->at++;
    return true;
}

// Four hexadecimal digits.
static bool code_unit(reader *in, uint32_t *unit) {
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        if (in->at == in->end) return false;
        uint8_t digit = *in->at++;
        if (digit >= '0' && digit <= '9') digit -= '0';
        else if ((digit | 32) >= 'a' && (digit | 32) <= 'f') digit = (digit | 32) - 'a' + 10;
        else return false;
        *unit = *unit << 4 | digit;
    }
    return true;
}

// What follows `\u`: a character, which may need two units.
static bool character(reader *in, uint32_t *found) {
    uint32_t low;
    if (!code_unit(in, found)) return false;
    if (*found < 0xd800 || *found > 0xdfff) return true;
    if (*found > 0xdbff || in->end - in->at < 2 || memcmp(in->at, "\\u", 2)) return false;
    in->at += 2;
    if (!code_unit(in, &low) || low < 0xdc00 || low > 0xdfff) return false;
    *found = 0x10000 + ((*found - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

static uint8_t *put_utf8(uint8_t *out, uint32_t c) {
    if (c < 0x80) {
        *out++ = c;
        return out;
    }
    if (c < 0x800) {
        *out++ = 0xc0 | c >> 6;
    } else {
        if (c < 0x10000) {
            *out++ = 0xe0 | c >> 12;
        } else {
            *out++ = 0xf0 | c >> 18;
            *out++ = 0x80 | (c >> 12 & 0x3f);
        }
        *out++ = 0x80 | (c >> 6 & 0x3f);
    }
    *out++ = 0x80 | (c & 0x3f);
    return out;
}

// A text in quotes, written to `out`.
static bool text(reader *in, uint8_t *out, size_t *written) {
    static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    uint8_t *begin = out;
    if (!take(in, '"')) return false;
    while (in->at < in->end) {
        uint8_t byte = *in->at++;
        if (byte == '"') {
            *written = out - begin;
            return true;
        }
        if (byte != '\\') {
            *out++ = byte;
            continue;
        }
        if (in->at == in->end) return false;
        byte = *in->at++;
        const char *escape = memchr(escapes, byte, sizeof escapes - 1);
        uint32_t c;
        if (escape) *out++ = meant[escape - escapes];
        else if (byte == 'u' && character(in, &c)) out = put_utf8(out, c);
        else return false;
    }
    return false;
}

// Any value, up to the comma or brace behind it.
static bool skip_value(reader *in, uint8_t *scratch) {
    size_t depth = 0, ignored;
    for (skip_space(in); in->at < in->end; skip_space(in)) {
        uint8_t byte = *in->at;
        if (depth == 0 && (byte == ',' || byte == '}')) return true;
        if (byte == '"') {
            if (!text(in, scratch, &ignored)) return false;
            continue;
        }
        if (byte == '{' || byte == '[') depth++;
        if (byte == '}' || byte == ']') depth--;
        in->at++;
    }
    return false;
}

bool json_text(const uint8_t *json, size_t length, const char *key, uint8_t *out, size_t *written) {
    reader in = {json, json + length};
    size_t wanted = strlen(key), name;
    if (!take(&in, '{')) return false;
    do {
        if (!text(&in, out, &name)) return false;
        bool found = name == wanted && memcmp(out, key, name) == 0;
        if (!take(&in, ':')) return false;
        skip_space(&in);
        if (found) return text(&in, out, written);
        if (!skip_value(&in, out)) return false;
    } while (take(&in, ','));
    return false;
}
