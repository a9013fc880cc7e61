//! Attacks on the compiled components that lie on disk.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use noetl::sandbox::{Limits, StepRunner};
use serde::Deserialize;
use serde_json::json;

use crate::case::Case;
use crate::expect::Outcome;
use crate::sandbox::{probe, runner, step};

/// What is done to a compiled component, or to its directory.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Poison {
    /// Nothing at all.
    Untouched,
    /// One byte of the code is another one.
    ByteChanged,
    /// The file ends early.
    Truncated,
    /// The file is empty.
    Emptied,
    /// Bytes follow the code.
    Extended,
    /// It is the code of another component, moved to this one's name with all
    /// that belongs to it.
    OtherComponent,
    /// It is a link to code that lies elsewhere.
    Link,
    /// It is a directory.
    Directory,
    /// Others may write the file.
    FileWritable,
    /// It belongs to another user.
    FileOwner,
    /// Others may write the directory.
    DirectoryWritable,
    /// The directory belongs to another user.
    DirectoryOwner,
    /// The directory is a link to another one.
    DirectoryLink,
}

/// Compiles the probe, tampers with what was written, and loads it again. Its
/// result is whether the code on disk was taken, and what the probe then gave.
pub async fn attack(case: &Case) -> Outcome {
    let poison = case.poison.expect("a cache case has a poison");
    let place = tempfile::tempdir().expect("a temporary directory");
    let cache = place.path().join("cache");
    runner(&cache)
        .and_then(|mut runner| runner.add_tool("probe", &probe()))
        .expect("the probe loads");
    let dir = tamper(poison, place.path(), &cache);
    let mut runner = match runner(&dir) {
        Ok(runner) => runner,
        Err(error) => return refused(&error),
    };
    let loaded = match runner.add_tool("probe", &probe()) {
        Ok(loaded) => loaded,
        Err(error) => return refused(&error),
    };
    let request = step(
        "probe",
        json!({"op": "echo"}),
        json!({"x": 7}),
        Limits::default(),
    );
    let gave = runner.run(request).await.result;
    Outcome {
        seen: format!("{gave:?}"),
        result: Some(json!({"cached": loaded.cached, "gave": gave.ok()})),
        ..Outcome::default()
    }
}

fn refused(error: &anyhow::Error) -> Outcome {
    Outcome {
        seen: format!("{error:#}"),
        refused: true,
        ..Outcome::default()
    }
}

/// Tampers; the directory to open afterwards.
fn tamper(poison: Poison, place: &Path, cache: &Path) -> PathBuf {
    let entry = entries(cache).pop().expect("the probe was compiled");
    let code = fs::read(&entry).expect("it can be read");
    let write = |code: &[u8]| {
        fs::remove_file(&entry).expect("it can be removed");
        fs::write(&entry, code).expect("it can be written");
    };
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it can be changed");
    };
    // Only root can give files away; for others there is nothing to try.
    let give_away = |path: &Path| {
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::chown(path, Some(12345), None).expect("root gives it away");
        } else {
            mode(path, 0o777);
        }
    };
    match poison {
        Poison::Untouched => {}
        Poison::ByteChanged => {
            let mut code = code;
            let at = code.len() / 2;
            code[at] ^= 1;
            write(&code);
        }
        Poison::Truncated => write(&code[..code.len() / 2]),
        Poison::Emptied => write(&[]),
        Poison::Extended => write(&[&code[..], b"more"].concat()),
        Poison::OtherComponent => {
            let other = place.join("other");
            let wasm = place.join("other.wasm");
            let tool = noetl_tests::root().join("tests/attacks/tool.wat");
            let text = fs::read_to_string(tool).expect("tool.wat is there");
            fs::write(&wasm, wat::parse_str(text).expect("it is right")).expect("a file");
            runner(&other)
                .and_then(|mut runner| runner.add_tool("other", &wasm))
                .expect("the other one loads");
            let from = entries(&other).pop().expect("it was compiled");
            let stem = |path: &Path| path.file_stem().expect("a name").to_os_string();
            for file in fs::read_dir(&other).expect("the cache is there") {
                let file = file.expect("an entry").path();
                let to = match stem(&file) == stem(&from) {
                    true => entry.with_extension(file.extension().unwrap_or_default()),
                    false => cache.join(file.file_name().expect("a name")),
                };
                let _ = fs::remove_file(&to);
                fs::copy(&file, &to).expect("it can be copied");
            }
        }
        Poison::Link => {
            let elsewhere = place.join("elsewhere.cwasm");
            fs::rename(&entry, &elsewhere).expect("it can be moved");
            symlink(&elsewhere, &entry).expect("a link");
        }
        Poison::Directory => {
            fs::remove_file(&entry).expect("it can be removed");
            fs::create_dir(&entry).expect("a directory");
        }
        Poison::FileWritable => mode(&entry, 0o666),
        Poison::FileOwner => give_away(&entry),
        Poison::DirectoryWritable => mode(cache, 0o777),
        Poison::DirectoryOwner => give_away(cache),
        Poison::DirectoryLink => {
            let link = place.join("link");
            symlink(cache, &link).expect("a link");
            return link;
        }
    }
    cache.to_path_buf()
}

fn entries(cache: &Path) -> Vec<PathBuf> {
    fs::read_dir(cache)
        .expect("the cache is there")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "cwasm"))
        .collect()
}
