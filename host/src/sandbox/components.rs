//! Components, compiled ahead of time and kept on disk.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::compile::Compiler;
use super::runtime::error;
use super::seal::{self, Sealer};

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

/// A component whose machine code is in the cache.
#[derive(Debug, Clone)]
pub(super) struct Compiled {
    /// The machine code.
    pub code: PathBuf,
    /// SHA-256 of the component's bytes, in hex.
    pub digest: String,
    /// Whether it was there already.
    pub cached: bool,
}

/// Compiled components in a directory that only this user can write.
pub struct ComponentCache {
    engine: Engine,
    dir: PathBuf,
    compiler: Compiler,
    sealer: Sealer,
}

impl ComponentCache {
    /// Opens or makes the cache.
    ///
    /// # Errors
    /// If `dir` can't be made, belongs to someone else, or others can write it:
    /// what lies in it is run as native code.
    pub(super) fn open(engine: &Engine, dir: &Path, compiler: Compiler) -> anyhow::Result<Self> {
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
            // Workers are somewhere else.
            dir: std::path::absolute(dir)?,
            compiler,
            sealer: Sealer::open(dir)?,
        })
    }

    /// Compiles a component, unless the cache has an entry for exactly these
    /// bytes, this wasmtime and this configuration.
    ///
    /// # Errors
    /// If it is no component that wasmtime accepts.
    pub(super) fn compile(&self, component: &[u8]) -> anyhow::Result<Compiled> {
        if Engine::detect_precompiled(component).is_some() {
            bail!("it is compiled machine code; only WebAssembly components are taken");
        }
        let digest = hex::encode(Sha256::digest(component));
        let code = self.entry(&digest);
        let cached = self.is_sealed(&code);
        if !cached {
            self.write(&code, component)?;
        }
        Ok(Compiled {
            code,
            digest,
            cached,
        })
    }

    /// Whether there is an entry that is as it was written. One that is not is
    /// never run: it is removed, and compiled anew.
    fn is_sealed(&self, entry: &Path) -> bool {
        if entry.symlink_metadata().is_err() {
            return false;
        }
        let Err(error) = self.sealer.check(entry) else {
            return true;
        };
        tracing::warn!(
            entry = %entry.display(),
            error = format!("{error:#}"),
            "a compiled component is not as it was written: it is compiled anew"
        );
        seal::remove(entry);
        false
    }

    /// Loads a component into this process, and compiles it before if need be.
    ///
    /// # Errors
    /// Those of compiling; or if it can't be run with this configuration.
    pub(super) fn load(&self, wasm: &Path) -> anyhow::Result<Loaded> {
        let compiled = self
            .compile(&read_component(wasm)?)
            .with_context(|| format!("can't use {}", wasm.display()))?;
        let component = deserialize(&self.engine, &compiled.code).map_err(|error| {
            seal::remove(&compiled.code);
            error.context(format!("can't use {}", wasm.display()))
        })?;
        Ok(Loaded {
            component,
            digest: compiled.digest,
            cached: compiled.cached,
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
    fn write(&self, entry: &Path, wasm: &[u8]) -> anyhow::Result<()> {
        let context = || format!("can't write {}; is something in its way?", entry.display());
        let mut part = NamedTempFile::new_in(&self.dir).with_context(context)?;
        self.compiler
            .compile(&self.engine, wasm, part.as_file_mut())?;
        part.as_file().sync_all()?;
        let mut code = part.persist(entry).with_context(context)?;
        self.sealer.seal(entry, &mut code).with_context(context)
    }
}

/// A component's bytes.
///
/// # Errors
/// If the file can't be read.
pub(super) fn read_component(wasm: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(wasm).with_context(|| format!("can't read {}", wasm.display()))
}

/// Maps an entry of the cache.
pub(super) fn deserialize(engine: &Engine, code: &Path) -> anyhow::Result<Component> {
    // SAFETY: the file was written by this program (`ComponentCache::write`), which
    // its seal shows, into a directory that only this user can write
    // (`ComponentCache::open`); its name holds the digest of the component and of
    // everything its code depends on.
    unsafe { Component::deserialize_file(engine, code) }
        .map_err(error)
        .with_context(|| format!("can't load {}", code.display()))
}
