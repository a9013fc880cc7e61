//! `noetl tool new`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use rust_embed::{Embed, EmbeddedFile};

use super::build::write;
use super::language::Language;
use crate::cli::failure::Failure;
use crate::cli::terminal;
use crate::tool::Name;

/// A directory for each language. In their texts `{{name}}` is the tool's name,
/// `{{package}}` the part after the namespace.
#[derive(Embed)]
#[folder = "../guest-tools/templates"]
#[allow_missing = true]
struct Templates;

/// The crate that tools in Rust are written with. It is not in a registry: each
/// project gets a copy.
#[derive(Embed)]
#[folder = "../guest-tools/sdk"]
#[allow_missing = true]
struct Sdk;

/// Arguments of `noetl tool new`.
#[derive(Debug, Args)]
pub struct New {
    /// The tool's name: NAMESPACE/NAME
    name: Name,
    /// The language that it is written in
    #[arg(long, value_name = "LANGUAGE", value_enum, default_value_t = Language::Rust)]
    lang: Language,
    /// The project's directory, which must be empty or not there [default: NAME]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl New {
    /// Writes the project.
    ///
    /// # Errors
    /// The name has no namespace, something is in the directory, or it can't be
    /// written.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let Self { name, lang, dir } = self;
        let Some((_, package)) = name.as_str().split_once('/') else {
            return Err(Failure::usage(format!("'{name}' has no namespace"))
                .hint(format!(
                    "call it after who it belongs to, such as acme/{name}"
                ))
                .into());
        };
        let directory = dir.unwrap_or_else(|| package.into());
        if std::fs::read_dir(&directory).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(
                Failure::new(format!("{} is not empty", directory.display()))
                    .hint("name another directory with --dir")
                    .into(),
            );
        }
        let fill = |text: &[u8]| match std::str::from_utf8(text) {
            Ok(text) => text
                .replace("{{name}}", name.as_str())
                .replace("{{package}}", package)
                .into_bytes(),
            Err(_) => text.to_vec(),
        };
        let template = format!("{lang}/");
        let mut written = 0;
        for path in Templates::iter() {
            if let Some(path) = path.strip_prefix(&template) {
                let file = Templates::get(&format!("{template}{path}"));
                write(
                    &directory.join(path),
                    &fill(&file.expect("it is there").data),
                )?;
                written += 1;
            }
        }
        if written == 0 {
            return Err(Failure::new(format!(
                "this program was built without the template for {lang}"
            ))
            .into());
        }
        if let Language::Rust = lang {
            copy::<Sdk>(&directory.join("noetl-tool"))?;
        }
        terminal::out(&format!(
            "{}: the tool {name} in {lang}. Build it with 'noetl tool build {0}', \
             try it with 'noetl tool test {0}'",
            directory.display()
        ));
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes files as they are.
fn copy<E: Embed>(to: &Path) -> anyhow::Result<()> {
    for path in E::iter() {
        let EmbeddedFile { data, .. } = E::get(&path).expect("it is there");
        write(&to.join(&*path), &data)?;
    }
    Ok(())
}
