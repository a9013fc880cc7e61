//! Where a statement's placeholders are, and what it begins with. PostgreSQL
//! itself does the parsing; this only tells code from strings, quoted names and
//! comments.

/// One `$n` of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placeholder {
    /// Byte offsets in the statement.
    pub start: usize,
    pub end: usize,
    /// The `n`, from 1.
    pub number: usize,
}

/// What [`scan`] finds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    pub placeholders: Vec<Placeholder>,
    /// The first three words in upper case, comments skipped.
    pub words: Vec<String>,
    /// Whether it is a COPY whose rows go to the client or come from it.
    pub copies_with_client: bool,
}

/// Scans one statement, with `standard_conforming_strings` on.
pub(super) fn scan(sql: &str) -> Scan {
    let bytes = sql.as_bytes();
    let mut found = Scan::default();
    let mut previous = "";
    let mut at = 0;
    while at < bytes.len() {
        at = match bytes[at] {
            b'-' if bytes.get(at + 1) == Some(&b'-') => end_of_line(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'*') => end_of_comment(bytes, at + 2),
            b'\'' => end_of_quote(bytes, at + 1, b'\'', false),
            b'"' => end_of_quote(bytes, at + 1, b'"', false),
            b'$' if bytes.get(at + 1).is_some_and(u8::is_ascii_digit) => {
                let end = skip(bytes, at + 1, |b| b.is_ascii_digit());
                if let Ok(number) = sql[at + 1..end].parse() {
                    found.placeholders.push(Placeholder {
                        start: at,
                        end,
                        number,
                    });
                }
                end
            }
            b'$' => end_of_dollar_quote(sql, at).unwrap_or(at + 1),
            b if b.is_ascii_digit() => skip(bytes, at, |b| b.is_ascii_digit()),
            b if starts_word(b) => {
                let end = skip(bytes, at, |b| {
                    starts_word(b) || b.is_ascii_digit() || b == b'$'
                });
                let word = &sql[at..end];
                if found.words.len() < 3 {
                    found.words.push(word.to_ascii_uppercase());
                }
                found.copies_with_client |= found.words[0] == "COPY"
                    && is_one_of(previous, ["from", "to"])
                    && is_one_of(word, ["stdin", "stdout"]);
                previous = word;
                match (word, bytes.get(end)) {
                    ("e" | "E", Some(b'\'')) => end_of_quote(bytes, end + 1, b'\'', true),
                    _ => end,
                }
            }
            _ => at + 1,
        };
    }
    found
}

fn is_one_of(word: &str, words: [&str; 2]) -> bool {
    words.iter().any(|other| word.eq_ignore_ascii_case(other))
}

fn starts_word(b: u8) -> bool {
    b.is_ascii_alphabetic() || b == b'_' || b >= 0x80
}

fn skip(bytes: &[u8], from: usize, what: impl Fn(u8) -> bool) -> usize {
    bytes[from..]
        .iter()
        .position(|&b| !what(b))
        .map_or(bytes.len(), |n| from + n)
}

fn end_of_line(bytes: &[u8], from: usize) -> usize {
    skip(bytes, from, |b| b != b'\n' && b != b'\r')
}

/// Comments nest in PostgreSQL.
fn end_of_comment(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 1;
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                at += 2;
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    at
}

/// A doubled quote needs no care: it ends one quote and begins the next.
fn end_of_quote(bytes: &[u8], mut at: usize, quote: u8, escapes: bool) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if escapes => at += 2,
            b if b == quote && escapes && bytes.get(at + 1) == Some(&quote) => at += 2,
            b if b == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// `$$ … $$` and `$tag$ … $tag$`; `None` if no such quote begins at `start`.
fn end_of_dollar_quote(sql: &str, start: usize) -> Option<usize> {
    let bytes = sql.as_bytes();
    let tag = skip(bytes, start + 1, |b| starts_word(b) || b.is_ascii_digit());
    if bytes.get(tag) != Some(&b'$') {
        return None;
    }
    let delimiter = &sql[start..=tag];
    let body = tag + 1;
    Some(
        sql[body..]
            .find(delimiter)
            .map_or(sql.len(), |n| body + n + delimiter.len()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(sql: &str) -> Vec<usize> {
        scan(sql).placeholders.iter().map(|p| p.number).collect()
    }

    #[test]
    fn finds_placeholders_in_code_only() {
        assert_eq!(
            numbers("select $1, f($12)::int, a$3, 'x$4''$5', \"$6\""),
            [1, 12]
        );
        assert_eq!(
            numbers("select $1 -- $2\n, $3 /* $4 /* $5 */ $6 */, $7"),
            [1, 3, 7]
        );
        assert_eq!(
            numbers("select $a$ $1 $$ $2 $a$, $3, $$ $4 $$ || $5"),
            [3, 5]
        );
        assert_eq!(numbers(r"select E'\'$1', $2, 'a\', $3, e'''$4'"), [2, 3]);
        assert_eq!(numbers("select 'é', $1, é$2"), [1]);
        assert_eq!(numbers("select $99999999999999999999999"), [] as [usize; 0]);
    }

    #[test]
    fn unfinished_quotes_end_with_the_text() {
        for sql in ["'$1", "\"$1", "$$ $1", "/* $1", "-- $1", r"E'\", "$", "$a"] {
            assert_eq!(numbers(sql), [] as [usize; 0], "{sql}");
        }
    }

    #[test]
    fn tells_the_first_words() {
        assert_eq!(scan(" ; /* x */ -- y\n begin").words, ["BEGIN"]);
        assert_eq!(scan("(select 1 from t)").words, ["SELECT", "FROM", "T"]);
        assert_eq!(
            scan("rollback to savepoint a").words,
            ["ROLLBACK", "TO", "SAVEPOINT"]
        );
    }
    #[test]
    fn tells_a_copy_to_or_from_the_client() {
        for sql in [
            "copy t from stdin",
            "COPY t (a, b) FROM /* x */ STDIN WITH (FORMAT csv)",
            "COPY (SELECT a FROM t) TO STDOUT",
            "-- x\nCopy t To StdIn",
        ] {
            assert!(scan(sql).copies_with_client, "{sql}");
        }
        for sql in [
            "COPY t FROM 'stdin'",
            "COPY t TO PROGRAM 'cat' -- to stdout",
            "SELECT a FROM stdin",
        ] {
            assert!(!scan(sql).copies_with_client, "{sql}");
        }
    }
}
