//! The effective configuration, in the form of a configuration file.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::json;

use super::super::terminal::out;
use super::{Configured, key, options, section};

/// Writes every option of `command`, as the last command of `matches` has it.
pub(super) fn show(configured: &Configured, command: &Command, matches: &ArgMatches) {
    let top = options(command).filter(|arg| section(arg).is_none());
    for arg in top {
        out(&line(configured, arg, matches));
    }
    let mut sections: Vec<String> = Vec::new();
    for name in options(command).filter_map(section) {
        if !sections.contains(&name) {
            sections.push(name);
        }
    }
    for name in sections {
        out(&format!("{name}:"));
        let within = options(command).filter(|arg| section(arg).as_deref() == Some(&name));
        for arg in within {
            out(&format!("  {}", line(configured, arg, matches)));
        }
    }
}

fn line(configured: &Configured, arg: &Arg, matches: &ArgMatches) -> String {
    let id = arg.get_id().as_str();
    let from = match matches.value_source(id) {
        Some(ValueSource::CommandLine) => {
            format!("flag --{}", arg.get_long().expect("an option has one"))
        }
        Some(ValueSource::EnvVariable) => format!(
            "environment {}",
            arg.get_env().expect("it is from there").display()
        ),
        Some(_) if let Some(file) = configured.file_of(id) => format!("file {}", file.display()),
        Some(_) => "default".into(),
        None => return unset(arg),
    };
    let Some(value) = value(arg, matches) else {
        return unset(arg);
    };
    let pair = format!("{}: {value}", key(arg));
    format!("{pair:<50} # {from}")
}

/// An option without a value, with what its help says of that.
fn unset(arg: &Arg) -> String {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let told = help
        .split_once("[default: ")
        .and_then(|(_, rest)| rest.rsplit_once(']'));
    let pair = format!("# {}:", key(arg));
    match told {
        Some((default, _)) => format!("{pair:<50} # default: {default}"),
        None => format!("{pair:<50} # not set"),
    }
}

fn value(arg: &Arg, matches: &ArgMatches) -> Option<String> {
    let raw = matches.get_raw(arg.get_id().as_str())?;
    if arg.is_hide_env_values_set() {
        return Some(json!("[secret]").to_string());
    }
    let texts: Vec<String> = raw
        .map(|value| value.to_string_lossy().into_owned())
        .collect();
    match arg.get_action() {
        ArgAction::Append => Some(json!(texts).to_string()),
        ArgAction::SetTrue | ArgAction::SetFalse => {
            Some(matches.get_flag(arg.get_id().as_str()).to_string())
        }
        _ => match super::file::is_number(arg) {
            true => texts.into_iter().next(),
            false => texts.first().map(|text| json!(text).to_string()),
        },
    }
}
