// The tool acme/checksum: the CRC-32 and the Adler-32 of a text.

#include <stdlib.h>
#include <string.h>

#include "bindings/tool.h"
#include "json.h"

// The bindings want an object with the types of their world; `jco embed` puts those in instead.
void __component_type_object_force_link_tool(void) {}

// As in zip and PNG: the reversed polynomial of IEEE 802.3.
static uint32_t crc32(const uint8_t *bytes, size_t length) {
    uint32_t crc = ~0u;
    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (0xedb88320 & -(crc & 1));
    }
    return ~crc;
}

// As in zlib (RFC 1950).
static uint32_t adler32(const uint8_t *bytes, size_t length) {
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < length; i++) {
        a = (a + bytes[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

// These write at the end of a text and return its new end. printf would do, and would ask for
// files, clocks and more of WASI.
static char *put(char *end, const char *text) {
    size_t length = strlen(text);
    memcpy(end, text, length);
    return end + length;
}

static char *put_hex(char *end, uint32_t number) {
    for (int shift = 28; shift >= 0; shift -= 4) *end++ = "0123456789abcdef"[number >> shift & 15];
    return end;
}

static char *put_decimal(char *end, size_t number) {
    if (number >= 10) end = put_decimal(end, number / 10);
    *end++ = '0' + number % 10;
    return end;
}

static bool fail(tool_tool_error_t *error, uint8_t tag, const char *message) {
    error->tag = tag;
    // All other cases of the variant have their text at the same place.
    tool_string_dup(&error->val.invalid_input, message);
    return false;
}

// The one function of a tool: false for an error.
bool exports_tool_run(tool_invocation_t *invocation, tool_output_t *output, tool_tool_error_t *error) {
    size_t length = 0;
    tool_string_t args = invocation->args;
    uint8_t *text = malloc(args.len + 1);
    if (!text) return fail(error, NOETL_TOOL_TYPES_TOOL_ERROR_LIMIT, "the text does not fit into memory");
    if (!json_text(args.ptr, args.len, "text", text, &length)) {
        return fail(error, NOETL_TOOL_TYPES_TOOL_ERROR_INVALID_INPUT, "`args.text` must be a text");
    }
    char result[96], *end = result;
    end = put_hex(put(end, "{\"crc32\":\""), crc32(text, length));
    end = put_hex(put(end, "\",\"adler32\":\""), adler32(text, length));
    end = put(put_decimal(put(end, "\",\"bytes\":"), length), "}");
    tool_string_dup_n(&output->data, result, end - result);
    return true;
}
