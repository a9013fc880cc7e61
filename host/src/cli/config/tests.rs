use clap::{ArgMatches, Command, CommandFactory};

use super::file::{Source, parse};
use super::*;
use crate::cli::Cli;

fn serve() -> Command {
    let command = Cli::command();
    command.find_subcommand(SERVE).expect("it is there").clone()
}

fn mistakes(text: &str, mode: u32) -> Vec<String> {
    match parse(&Source::of(text, mode), &serve()) {
        Ok(_) => Vec::new(),
        Err(mistakes) => mistakes.0.iter().map(ToString::to_string).collect(),
    }
}

/// The arguments of `serve`, with a file and nothing of the environment.
fn with_file(text: &str, arguments: &[&str]) -> ArgMatches {
    let settings = parse(&Source::of(text, 0o600), &serve()).unwrap_or_else(|e| panic!("{e}"));
    let alone = serve().mut_args(|arg| arg.env(None::<&str>));
    let all = [&["serve"], arguments].concat();
    settings.put_into(alone, &[]).get_matches_from(all)
}

#[test]
fn a_file_takes_the_place_of_defaults_and_flags_that_of_the_file() {
    let text = "
listen: 127.0.0.1:9000
playbooks: [a, b]
require-isolation: true
limits:
  tenant_executions: 7
  connections: 100
telemetry:
  log_format: json
";
    let found = with_file(text, &["--connections", "5"]);
    assert_eq!(found.get_one::<String>("listen").unwrap(), "127.0.0.1:9000");
    let playbooks: Vec<_> = found.get_many::<PathBuf>("playbooks").unwrap().collect();
    assert_eq!(playbooks, [Path::new("a"), Path::new("b")]);
    assert!(found.get_flag("require_isolation") && !found.get_flag("dev"));
    assert_eq!(found.get_one::<u32>("tenant_executions"), Some(&7));
    assert_eq!(found.get_one::<u32>("connections"), Some(&5));
    assert_eq!(found.get_one::<u32>("executions"), Some(&512));

    let named = with_file(text, &["--playbooks", "mine"]);
    let playbooks: Vec<_> = named.get_many::<PathBuf>("playbooks").unwrap().collect();
    assert_eq!(playbooks, [Path::new("mine")]);
}

#[test]
fn an_empty_file_changes_nothing() {
    for text in ["", "# nothing\n", "limits:\n"] {
        assert_eq!(mistakes(text, 0o644), [] as [&str; 0], "{text}");
    }
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let text = "
listen: 8082
lissten: 127.0.0.1:1
connections: 100
playbooks: all
dev: 'yes'
migrations: later
workers: 1000
master_key: VGhlIG1hc3Rlcg==
grants:
limits:
  connections: 0
  executions: ten
  head-time: 5
  head_time: 6
  dev: true
  bodies: 1
telemetry: text
config: other.yaml
help: true
";
    let expected = [
        "noetl.yaml:2:9: listen: this must be a text, it is a number; put it in quotes",
        "noetl.yaml:3:1: lissten: there is no option `lissten`; did you mean `listen`?",
        "noetl.yaml:4:1: connections: `connections` does not stand here; put it below `limits:`, indented",
        "noetl.yaml:5:12: playbooks: this must be a list (lines that begin with `- `), it is a text",
        "noetl.yaml:6:6: dev: this must be `true` or `false`, it is a text",
        "noetl.yaml:7:13: migrations: `later` can't be used: it must be apply or require",
        "noetl.yaml:8:10: workers: `1000` can't be used: 1000 is not in 1..=256",
        "noetl.yaml:9:1: master_key: there is no option `master_key`; a master key does not belong in this file",
        "noetl.yaml:10:7: grants: this must be a text, it is nothing",
        "noetl.yaml:12:16: limits.connections: `0` can't be used: 0 is not in 1..=4294967295",
        "noetl.yaml:13:15: limits.executions: this must be a number, it is a text",
        "noetl.yaml:15:3: limits.head_time: `head_time` is there twice",
        "noetl.yaml:16:3: limits.dev: `dev` does not stand here; put it at the left margin, in no section",
        "noetl.yaml:17:3: limits.bodies: there is no option `bodies`",
        "noetl.yaml:18:12: telemetry: this must be a mapping (`key: value`), it is a text",
        "noetl.yaml:19:1: config: there is no option `config`",
        "noetl.yaml:20:1: help: there is no option `help`",
    ];
    let told = mistakes(text, 0o644);
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}\n{expected}");
    }
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    let two = mistakes("playbooks: [a, 'b:c']", 0o644);
    let told = "noetl.yaml:1:16: playbooks[1]: `b:c` can't be used: `:` stands between two values of the flag";
    assert_eq!(two, [told]);
    for text in ["listen: a\nlisten: b", "- listen", "a: {", "listen: [a]"] {
        let told = mistakes(text, 0o644);
        assert_eq!(told.len(), 1, "{text}: {told:#?}");
    }
}

#[test]
fn a_password_stands_only_in_a_file_that_others_cannot_read() {
    let secret = "database_url: postgres://noetl:canary@db/noetl";
    for mode in [0o600, 0o640, 0o400] {
        assert_eq!(mistakes(secret, mode), [] as [&str; 0], "{mode:o}");
    }
    for mode in [0o644, 0o660, 0o604, 0o642] {
        let told = mistakes(secret, mode);
        let [told] = &told[..] else {
            panic!("{mode:o}: {told:#?}");
        };
        assert!(
            told.starts_with("noetl.yaml:1:1: database_url: it has a password"),
            "{told}"
        );
        assert!(
            told.contains("DATABASE_URL") && told.contains("chmod 640"),
            "{told}"
        );
        assert!(!told.contains("canary"), "{told}");
    }
    for open in [
        "postgres://noetl@db/noetl",
        "postgres:///noetl?host=/run/postgresql",
    ] {
        assert_eq!(
            mistakes(&format!("database_url: {open}"), 0o644),
            [] as [&str; 0]
        );
    }
    let hidden = "database_url: postgres://db/noetl?user=noetl&password=canary";
    assert_eq!(mistakes(hidden, 0o644).len(), 1);
    let wrong = mistakes("database_url: [canary]", 0o644).join("");
    assert!(!wrong.is_empty() && !wrong.contains("canary"), "{wrong}");
}

#[test]
fn what_a_file_says_is_not_in_the_help() {
    let text = "database_url: postgres://noetl:canary@db/noetl";
    let settings = parse(&Source::of(text, 0o600), &serve()).unwrap();
    let help = settings
        .put_into(serve(), &[])
        .render_long_help()
        .to_string();
    assert!(
        help.contains("--database-url") && !help.contains("canary"),
        "{help}"
    );
}

#[test]
fn every_option_of_the_server_has_a_variable_and_one_place_in_a_file() {
    let serve = serve();
    let mut names = std::collections::HashSet::new();
    for arg in options(&serve) {
        let name = key(arg);
        let variable = arg
            .get_env()
            .unwrap_or_else(|| panic!("{name} has no variable"));
        let variable = variable.to_str().unwrap();
        let own = format!("NOETL_{}", name.to_uppercase());
        let standard = ["DATABASE_URL", "OTEL_EXPORTER_OTLP_ENDPOINT"];
        assert!(
            variable == own || standard.contains(&variable),
            "{name}: {variable}"
        );
        assert!(names.insert(name.clone()), "{name} is there twice");
    }
    for section in options(&serve).filter_map(section) {
        assert!(
            options(&serve).all(|arg| key(arg) != section),
            "{section} is an option too"
        );
    }
}

#[test]
fn the_example_is_right() {
    let example = include_str!("../../../../packaging/noetl.yaml");
    assert_eq!(mistakes(example, 0o640), [] as [&str; 0]);
    // What is written there as a comment is right too.
    let uncommented: String = example
        .lines()
        .map(|line| match line.split_once('#') {
            Some((indent, option)) if indent.trim().is_empty() && !option.starts_with(' ') => {
                format!("{indent}{option}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    assert_eq!(
        mistakes(&uncommented, 0o640),
        [] as [&str; 0],
        "{uncommented}"
    );
}
