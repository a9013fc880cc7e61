//! Components, compiled ahead of time and kept on disk.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::runtime::error;

/// A component that is ready to be instantiated.
pub struct Loaded {
    /// The machine code.
    pub component: Component,
    /// SHA-256 of the component's bytes, in hex.
    pub digest: String,
    /// Whether it was in the cache, and so not compiled.
    pub cached: bool,
}

impl Loaded {
    /// The interfaces that the component asks for, such as
    /// `noetl:tool/log@0.1.0`.
    pub fn imports(&self) -> Vec<String> {
        let engine = self.component.engine();
        self.component
            .component_type()
            .imports(engine)
            .map(|(name, _)| name.to_owned())
            .collect()
    }
}

/// Compiled components in a directory that only this user can write.
pub struct ComponentCache {
    engine: Engine,
    dir: PathBuf,
}

impl ComponentCache {
    /// Opens or makes the cache.
    ///
    /// # Errors
    /// If `dir` can't be made, belongs to someone else, or others can write it:
    /// what lies in it is run as native code.
    pub(super) fn open(engine: &Engine, dir: &Path) -> anyhow::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .with_context(|| format!("can't make the component cache {}", dir.display()))?;
        let meta = fs::symlink_metadata(dir)?;
        let user = nix::unistd::geteuid().as_raw();
        if !meta.is_dir() || meta.uid() != user || meta.permissions().mode() & 0o022 != 0 {
            bail!(
                "the component cache {} must be a directory that this user owns and no one else can write: its files are run as native code",
                dir.display()
            );
        }
        Ok(Self {
            engine: engine.clone(),
            dir: dir.to_path_buf(),
        })
    }

    /// Loads a component, compiling it if the cache has no entry for exactly
    /// these bytes, this wasmtime and this configuration.
    ///
    /// # Errors
    /// If the file can't be read, or is no component that wasmtime accepts.
    pub fn load(&self, wasm: &Path) -> anyhow::Result<Loaded> {
        let bytes = fs::read(wasm).with_context(|| format!("can't read {}", wasm.display()))?;
        if Engine::detect_precompiled(&bytes).is_some() {
            bail!(
                "{} is compiled machine code; only WebAssembly components are taken",
                wasm.display()
            );
        }
        let digest = hex::encode(Sha256::digest(&bytes));
        let entry = self.entry(&digest);
        let cached = entry.exists();
        if !cached {
            let code = self
                .engine
                .precompile_component(&bytes)
                .map_err(error)
                .with_context(|| {
                    format!("{} is not a component that can be run", wasm.display())
                })?;
            self.write(&entry, &code)?;
        }
        // SAFETY: the file was written by this program (`write`), into a
        // directory that only this user can write (`open`); its name holds the
        // digest of the component and of everything its code depends on.
        let component = unsafe { Component::deserialize_file(&self.engine, &entry) }
            .map_err(error)
            .with_context(|| {
                format!("can't load {}; remove it to compile anew", entry.display())
            })?;
        Ok(Loaded {
            component,
            digest,
            cached,
        })
    }

    fn entry(&self, digest: &str) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        self.engine
            .precompile_compatibility_hash()
            .hash(&mut hasher);
        self.dir
            .join(format!("{digest}-{:016x}.cwasm", hasher.finish()))
    }

    /// Writes beside the entry and renames, so that no reader sees half a file
    /// and two writers do not meet.
    fn write(&self, entry: &Path, code: &[u8]) -> anyhow::Result<()> {
        let mut part = NamedTempFile::new_in(&self.dir)
            .with_context(|| format!("can't write the component cache {}", self.dir.display()))?;
        part.write_all(code)?;
        part.as_file().sync_all()?;
        part.persist(entry)?;
        Ok(())
    }
}
