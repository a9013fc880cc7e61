//! Playbook files on disk.

use std::path::{Path, PathBuf};

use super::failure::Failure;

/// A playbook's text, and the name that messages give it: of its path what is Unicode.
#[derive(Debug)]
pub struct File {
    pub path: PathBuf,
    pub name: String,
    pub text: String,
}

/// Reads one file.
///
/// # Errors
/// It isn't there, can't be read, or is not UTF-8.
pub fn read(path: &Path) -> anyhow::Result<File> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new(format!("cannot read {}: {error}", path.display()))
            .hint("name a playbook's YAML file")
    })?;
    Ok(File {
        path: path.to_owned(),
        name: path.display().to_string(),
        text,
    })
}

/// What the names of files with the cases of playbooks end in.
pub const CASES: &str = ".test.yaml";

/// Files as they are named, and of directories every `.yaml` and `.yml` file
/// in them but those of cases, in the order of their names.
///
/// # Errors
/// A path can't be read, or a directory has no playbook in it.
pub fn read_all(paths: &[PathBuf]) -> anyhow::Result<Vec<File>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let mut found = Vec::new();
            walk(path, &mut found)?;
            if found.is_empty() {
                return Err(Failure::new(format!("{} has no .yaml file", path.display())).into());
            }
            for path in found {
                files.push(read(&path)?);
            }
        } else {
            files.push(read(path)?);
        }
    }
    Ok(files)
}

/// Whether a file's name says that it has cases.
pub fn is_cases(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.ends_with(CASES))
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let unreadable = |error: std::io::Error| {
        Failure::new(format!("cannot read {}: {error}", directory.display()))
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        paths.push(entry.map_err(unreadable)?);
    }
    paths.sort_by_key(|entry| entry.file_name());
    for entry in paths {
        // Links to directories are not followed: they may lead in a circle.
        if entry.file_type().map_err(unreadable)?.is_dir() {
            walk(&entry.path(), found)?;
        } else if matches!(
            entry.path().extension().and_then(|end| end.to_str()),
            Some("yaml" | "yml")
        ) && !is_cases(&entry.path())
        {
            found.push(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_yaml_files_in_order_and_nothing_else() {
        let root = std::env::temp_dir().join(format!("noetl-files-{}", std::process::id()));
        std::fs::create_dir_all(root.join("b/c")).unwrap();
        for name in ["b/c/two.yml", "a.yaml", "b/README.md", "z.yaml"] {
            std::fs::write(root.join(name), name).unwrap();
        }
        std::os::unix::fs::symlink(&root, root.join("b/circle")).unwrap();
        let files = read_all(std::slice::from_ref(&root)).unwrap();
        let texts: Vec<&str> = files.iter().map(|file| file.text.as_str()).collect();
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(texts, ["a.yaml", "b/c/two.yml", "z.yaml"]);
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read_all(&["/no/such.yaml".into()]).unwrap_err().to_string();
        assert!(error.contains("/no/such.yaml"), "{error}");
    }
}
