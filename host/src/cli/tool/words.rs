//! What a component imports, in words.

/// What each of these interfaces lets a tool do. Whatever else a component asks
/// for keeps its name.
const WORDS: [(&str, &str); 10] = [
    ("noetl:tool/log", "write to the step's log"),
    ("noetl:tool/postgres", "query PostgreSQL"),
    ("noetl:tool/http", "send HTTP requests"),
    ("wasi:clocks/", "read clocks"),
    ("wasi:random/", "draw random numbers"),
    ("wasi:io/", "use streams"),
    ("wasi:cli/", "read an empty environment, print into nothing"),
    ("wasi:filesystem/", "look at a file system without files"),
    ("wasi:sockets/", "name sockets, none of which it gets"),
    ("noetl:tool/types", ""),
];

/// What the imports let a component do, each thing once.
pub fn of(imports: &[String]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for import in imports {
        let known = WORDS.iter().find(|(prefix, _)| import.starts_with(prefix));
        let word = match known {
            Some((_, "")) => continue,
            Some((_, word)) => (*word).to_owned(),
            None => format!("use {import}, which no tool has"),
        };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_is_said_once() {
        let imports = [
            "noetl:tool/types@0.2.0",
            "noetl:tool/log@0.2.0",
            "wasi:clocks/wall-clock@0.2.6",
            "wasi:clocks/monotonic-clock@0.2.6",
            "wasi:sockets/tcp@0.2.6",
            "wasi:http/types@0.2.6",
        ];
        let words = of(&imports.map(str::to_owned));
        assert_eq!(
            words,
            [
                "write to the step's log",
                "read clocks",
                "name sockets, none of which it gets",
                "use wasi:http/types@0.2.6, which no tool has"
            ]
        );
    }
}
