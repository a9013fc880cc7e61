//! The peer: the same code with a `python3` started for it.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::table::{median, ms, times};

/// The same code with a `python3` started for it.
pub fn python3(code: &str, args: &Value, runs: usize) -> anyhow::Result<Vec<Duration>> {
    let script =
        format!("import json, sys\n{code}\nprint(json.dumps(main(**json.loads(sys.argv[1]))))\n");
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), script)?;
    // Not a version manager's shim, which takes longer to start than Python.
    let which = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output()?;
    let python = String::from_utf8(which.stdout)?;
    times(runs, || {
        let output = Command::new(python.trim())
            .arg(file.path())
            .arg(args.to_string())
            .output()?;
        anyhow::ensure!(
            output.status.success(),
            "python3: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    })
}

/// What `python3` needs beside what we need.
pub fn beside(ours: &[Duration], python3: &[Duration]) -> String {
    let ratio = median(python3).as_secs_f64() / median(ours).as_secs_f64();
    format!(
        "python3 started for it: {} ({ratio:.1} × as long)",
        ms(median(python3))
    )
}
