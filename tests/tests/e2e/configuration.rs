//! How a server is configured and looked after: the file, the environment, flags;
//! migrations, the doctor, completions and the manual.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Output;

use noetl_tests::{Database, Process, noetl};
use sqlx::AssertSqlSafe;
use tokio::process::Command;

/// A directory with a configuration file.
struct Place(tempfile::TempDir);

impl Place {
    fn new(text: &str, mode: u32) -> Self {
        let place = Self(tempfile::tempdir().expect("a temporary directory"));
        std::fs::write(place.file(), text).expect("it can be written");
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(place.file(), mode).expect("it is ours");
        place
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("noetl.yaml")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = noetl();
        command
            .args(arguments)
            .env("NOETL_CONFIG", self.file())
            .env("NOETL_DATA_DIR", self.0.path().join("data"));
        command
    }
}

async fn run(mut command: Command) -> Output {
    command.output().await.expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[tokio::test]
async fn a_server_is_configured_by_its_file_and_shows_where_values_are_from() {
    let store = Database::create().await;
    let config = format!(
        "listen: 127.0.0.1:0\ndatabase_url: {}\nplaybooks: [playbooks]\ndev: true\n\
         limits:\n  connections: 7\n  executions: 8\ntelemetry:\n  log_format: json\n",
        store.url
    );
    let place = Place::new(&config, 0o640);
    let process = Process::start(place.command(&["serve"])).await;
    let status = process
        .put("/api/credentials/x", &serde_json::json!({}))
        .await;
    assert_eq!(status, 422);
    let (out, _) = process.stop().await;
    assert!(
        out.contains("playbooks registered") && out.contains("example page"),
        "{out}"
    );
    assert!(
        !out.contains("starting a PostgreSQL of noetl's own"),
        "{out}"
    );

    let mut show = place.command(&["config", "show", "--executions", "9"]);
    show.env("NOETL_STEPS", "10")
        .env("DATABASE_URL", &store.url);
    let shown = text(&run(show).await.stdout);
    let file = place.file();
    let line = |key: &str| {
        let mut lines = shown.lines().map(str::trim);
        let found = lines.find(|line| line.trim_start_matches("# ").starts_with(key));
        let line = found.unwrap_or_else(|| panic!("{key}: {shown}"));
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let from_file = format!("# file {}", file.display());
    assert_eq!(
        line("listen:"),
        format!("listen: \"127.0.0.1:0\" {from_file}")
    );
    assert_eq!(line("connections:"), format!("connections: 7 {from_file}"));
    assert_eq!(line("executions:"), "executions: 9 # flag --executions");
    assert_eq!(line("steps:"), "steps: 10 # environment NOETL_STEPS");
    assert_eq!(line("head_time:"), "head_time: 30 # default");
    assert_eq!(
        line("log_format:"),
        format!("log_format: \"json\" {from_file}")
    );
    assert_eq!(line("dev:"), format!("dev: true {from_file}"));
    assert_eq!(
        line("database_url:"),
        "database_url: \"[secret]\" # environment DATABASE_URL"
    );
    assert_eq!(
        line("grants:"),
        "# grants: # default: the built-in tools and all credentials"
    );
    assert!(!shown.contains(&store.password), "{shown}");
}

#[tokio::test]
async fn a_flag_goes_before_a_variable_and_a_variable_before_the_file() {
    let place = Place::new("dev: true\nlimits: {steps: 3}\n", 0o644);
    let shown = async |variable: Option<&str>, flags: &[&str]| {
        let mut show = place.command(&[&["config", "show"], flags].concat());
        if let Some(value) = variable {
            show.env("NOETL_STEPS", value).env("NOETL_DEV", "false");
        }
        let shown = text(&run(show).await.stdout);
        let value = |key: &str| {
            let line = shown.lines().find(|line| line.trim().starts_with(key));
            line.and_then(|line| line.split_whitespace().nth(1))
                .expect("a value")
                .to_owned()
        };
        (value("steps:"), value("dev:"))
    };
    let pair = |steps: &str, dev: &str| (steps.to_owned(), dev.to_owned());
    assert_eq!(shown(None, &[]).await, pair("3", "true"));
    assert_eq!(shown(Some("4"), &[]).await, pair("4", "false"));
    assert_eq!(
        shown(Some("4"), &["--steps", "5", "--dev"]).await,
        pair("5", "true")
    );
}

#[tokio::test]
async fn mistakes_in_the_file_are_told_and_nothing_starts() {
    let text_of = "listn: a\nlimits:\n  steps: 0\ndatabase_url: postgres://u:canary@h/d\n";
    let place = Place::new(text_of, 0o644);
    let file = place.file().display().to_string();
    let expected = [
        format!("{file}:1:1: listn: there is no option `listn`; did you mean `listen`?"),
        format!("{file}:3:10: limits.steps: `0` can't be used: 0 is not in 1..=512"),
        format!("{file}:4:1: database_url: it has a password"),
    ];
    for (arguments, code) in [
        (&["config", "check"][..], 1),
        (&["config", "check", &file], 1),
        (&["config", "show"], 2),
        (&["serve"], 2),
        (&["migrate", "--check"], 2),
    ] {
        let output = run(place.command(arguments)).await;
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        for expected in &expected {
            assert!(told.contains(expected), "{arguments:?}: {told}\n{expected}");
        }
        assert!(!told.contains("canary"), "{told}");
    }
    let right = Place::new("limits: {steps: 1}\n", 0o644);
    let output = run(right.command(&["config", "check"])).await;
    assert!(output.status.success());
    assert!(text(&output.stdout).ends_with("noetl.yaml: ok\n"));

    let mut missing = right.command(&["serve"]);
    missing.env("NOETL_CONFIG", "/no/such/file.yaml");
    let output = run(missing).await;
    assert_eq!(output.status.code(), Some(2));
    let told = text(&output.stderr);
    assert!(
        told.contains("cannot read the configuration file /no/such/file.yaml"),
        "{told}"
    );
}

#[tokio::test]
async fn migrations_are_applied_by_command_or_demanded_at_the_start() {
    let store = Database::create().await;
    let command = |arguments: &[&str]| {
        let mut command = noetl();
        command.args(arguments).env("DATABASE_URL", &store.url);
        command.env(
            "NOETL_MASTER_KEY",
            "VGhlIG1hc3RlciBrZXkgb2YgdGhlIHRlc3RzLiAgICA=",
        );
        command
    };
    let check = run(command(&["migrate", "--check"])).await;
    assert_eq!(check.status.code(), Some(1));
    let listed = text(&check.stdout);
    let all = listed.lines().count();
    assert!(
        all >= 2 && listed.lines().all(|line| line.ends_with("missing")),
        "{listed}"
    );

    let serve = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--migrations",
        "require",
    ];
    let refused = run(command(&serve)).await;
    let told = text(&refused.stderr);
    assert!(
        !refused.status.success() && told.contains("run `noetl migrate`"),
        "{told}"
    );

    let applied = run(command(&["migrate"])).await;
    let listed = text(&applied.stdout);
    assert!(applied.status.success(), "{}", text(&applied.stderr));
    assert!(
        listed.lines().all(|line| line.ends_with("applied now")),
        "{listed}"
    );
    let check = run(command(&["migrate", "--check"])).await;
    assert!(check.status.success());
    let listed = text(&check.stdout);
    assert_eq!(
        listed
            .lines()
            .filter(|line| line.ends_with("applied"))
            .count(),
        all
    );
    Process::start(command(&serve)).await.stop().await;
}

#[tokio::test]
async fn the_doctor_looks_at_the_database_and_its_role() {
    let store = Database::create().await;
    let place = Place::new("", 0o644);
    let examine = async || {
        let mut doctor = place.command(&["doctor"]);
        doctor.env("DATABASE_URL", &store.url);
        text(&run(doctor).await.stdout)
    };
    let has = |told: &str, line: &str| told.lines().any(|found| found.starts_with(line));
    let told = examine().await;
    for line in [
        format!("ok       configuration: {}", place.file().display()),
        "ok       master key: none yet".into(),
        "ok       cache directory: ".into(),
        "ok       open files: ".into(),
        "ok       database: PostgreSQL ".into(),
        "ok       database role: ".into(),
        "ok       clock: it agrees".into(),
        "MISSING  migrations: ".into(),
        "ok       tools: http, jwt, postgres, python, transform".into(),
        "ok       seccomp: holds".into(),
        "1 of what the server needs is not in order".into(),
    ] {
        assert!(has(&told, &line), "{line}\n{told}");
    }
    let mut migrate = place.command(&["migrate"]);
    migrate.env("DATABASE_URL", &store.url);
    assert!(run(migrate).await.status.success());
    assert!(has(&examine().await, "ok       migrations: all "));

    let (_, role) = store.url.rsplit_once('/').expect("a URL");
    let mut admin = Database::admin().await;
    for (right, line) in [
        ("BYPASSRLS", "bypasses row-level security"),
        ("SUPERUSER", "is a superuser"),
    ] {
        let grant = AssertSqlSafe(format!("ALTER ROLE {role} {right}"));
        sqlx::query(grant)
            .execute(&mut admin)
            .await
            .expect("the superuser may");
        let told = examine().await;
        assert!(
            has(&told, &format!("MISSING  database role: {role} {line}")),
            "{told}"
        );
    }
    let gone = "postgres://noetl:canary@127.0.0.1:9/noetl";
    let mut doctor = place.command(&["doctor"]);
    doctor.env("DATABASE_URL", gone);
    let output = run(doctor).await;
    let told = text(&output.stdout);
    assert!(
        has(&told, "MISSING  database: ") && !output.status.success(),
        "{told}"
    );
    assert!(!told.contains("canary"), "{told}");
}

#[tokio::test]
async fn shells_and_the_manual_know_every_command_that_is_told() {
    for shell in ["bash", "zsh", "fish"] {
        let output = run({
            let mut command = noetl();
            command.args(["completions", shell]);
            command
        })
        .await;
        let script = text(&output.stdout);
        assert!(
            output.status.success() && script.contains("metrics-listen"),
            "{script}"
        );
        assert!(!script.contains("sandbox-worker") && !script.contains("test-database"));
    }
    let place = tempfile::tempdir().expect("a temporary directory");
    let mut command = noetl();
    command.arg("man").arg(place.path());
    assert!(run(command).await.status.success());
    let mut pages: Vec<String> = std::fs::read_dir(place.path())
        .expect("it is there")
        .map(|page| page.expect("ours").file_name().into_string().expect("text"))
        .collect();
    pages.sort();
    for page in [
        "noetl.1",
        "noetl-serve.1",
        "noetl-config-check.1",
        "noetl-credential-add.1",
    ] {
        assert!(pages.iter().any(|found| found == page), "{pages:?}");
    }
    assert!(
        !pages.iter().any(|page| page.contains("sandbox")),
        "{pages:?}"
    );
    let serve = std::fs::read_to_string(place.path().join("noetl-serve.1")).expect("text");
    assert!(serve.contains("NOETL_METRICS_LISTEN"), "{serve}");
    // A shell reads what it is given.
    let mut bash = Command::new("bash");
    let noetl = noetl();
    let program = noetl.as_std().get_program().to_str().expect("text");
    bash.args([
        "-c",
        &format!("set -e; source <({program} completions bash); complete -p noetl"),
    ]);
    let output = bash.output().await.expect("bash is there");
    assert!(output.status.success(), "{}", text(&output.stderr));
}
