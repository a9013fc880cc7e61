//! A headless Chromium with a profile of its own, driven over WebDriver.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use thirtyfour::extensions::query::ElementQueryOptions;
use thirtyfour::prelude::*;
use thirtyfour::{BrowserLogEntry, ChromeCapabilities, LoggingPrefsLogLevel};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// How long something may take to appear before a test gives up. Nothing is
/// measured with it: a test goes on as soon as what it waits for is there.
const PATIENCE: Duration = Duration::from_secs(60);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Arguments for a browser that runs anywhere and talks to no one but the page.
const ARGUMENTS: [&str; 10] = [
    "--headless",
    // Chromium's own sandbox can't be had by root, nor in most containers.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=900,1100",
];

/// A tab of a browser that no one else uses.
pub struct Browser {
    /// The WebDriver session, for what has no method here.
    pub driver: WebDriver,
}

/// Runs `test` in a new browser, and closes the browser whatever comes of it.
///
/// # Panics
/// If `test` fails or panics, or if `chromium` and `chromedriver` are missing.
pub async fn with_browser(test: impl AsyncFnOnce(&Browser) -> WebDriverResult<()>) {
    let profile = tempfile::tempdir().expect("a directory for the browser's profile");
    let (_process, url) = start_driver().await;
    let driver = WebDriver::new(url, capabilities(profile.path()))
        .await
        .expect("Chromium starts; Debian has it in the package chromium");
    let outcome = driver.run_and_quit(async |driver| test(&Browser { driver }).await);
    outcome.await.expect("the test's steps succeed");
}

/// Starts chromedriver on a free port; its process and its URL.
async fn start_driver() -> (Child, String) {
    let mut process = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("chromedriver starts; Debian has it in the package chromium-driver");
    let stdout = process.stdout.take().expect("it is piped");
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await.expect("chromedriver writes text") {
        // "ChromeDriver was started successfully on port 12345."
        if let Some((_, port)) = line.split_once("successfully on port ") {
            let url = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
            // Read on, so that the driver never waits for someone to.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return (process, url);
        }
    }
    panic!("chromedriver ended before it was ready");
}

fn capabilities(profile: &Path) -> ChromeCapabilities {
    let mut capabilities = DesiredCapabilities::chrome();
    let profile = format!("--user-data-dir={}", profile.display());
    for argument in ARGUMENTS.into_iter().chain([profile.as_str()]) {
        capabilities.add_arg(argument).expect("an argument");
    }
    capabilities
        .set_browser_log_level(LoggingPrefsLogLevel::All)
        .expect("a log level");
    capabilities
}

impl Browser {
    /// The first visible element for the CSS `selector`; waits until there is one.
    pub async fn visible(&self, selector: &str) -> WebDriverResult<WebElement> {
        self.driver
            .query(By::Css(selector))
            // An element may be replaced while it is being looked at.
            .options(ElementQueryOptions::default().ignore_errors(true))
            .wait(PATIENCE, BETWEEN_LOOKS)
            .and_displayed()
            .desc(selector)
            .first()
            .await
    }

    /// The text of the first visible element for `selector`; waits for it.
    pub async fn text(&self, selector: &str) -> WebDriverResult<String> {
        self.visible(selector).await?.text().await
    }

    /// Whether an element for `selector` is visible now.
    pub async fn shows(&self, selector: &str) -> WebDriverResult<bool> {
        let query = self.driver.query(By::Css(selector)).nowait();
        query.and_displayed().exists().await
    }

    /// Clicks the first visible element for `selector`; waits for it.
    pub async fn click(&self, selector: &str) -> WebDriverResult<()> {
        self.visible(selector).await?.click().await
    }

    /// Types `text` into the first visible element for `selector`; waits for it.
    pub async fn type_into(&self, selector: &str, text: &str) -> WebDriverResult<()> {
        let element = self.visible(selector).await?;
        element.clear().await?;
        element.send_keys(text).await
    }

    /// Runs the body of an async JavaScript function in the page; its result. The
    /// arguments are there under `arguments`.
    ///
    /// # Panics
    /// With the script's own error, if it throws.
    pub async fn script(&self, body: &str, arguments: Vec<Value>) -> WebDriverResult<Value> {
        // WebDriver hands over a callback behind the arguments.
        let script = format!(
            "const done = arguments[arguments.length - 1];
             (async function () {{ {body} }})
               .apply(null, [...arguments].slice(0, -1))
               .then((value) => done({{value}}), (error) => done({{error: String(error)}}));"
        );
        let answer = self.driver.execute_async(script, arguments).await?;
        let answer = answer.json();
        assert!(answer.get("error").is_none(), "{}", answer["error"]);
        Ok(answer["value"].clone())
    }

    /// What the browser has complained of since the last call: failed requests,
    /// breaches of a content security policy, errors of scripts.
    pub async fn complaints(&self) -> WebDriverResult<Vec<BrowserLogEntry>> {
        let mut log = self.driver.browser_log().await?;
        log.retain(|entry| entry.level == "SEVERE" || entry.level == "WARNING");
        Ok(log)
    }

    /// With `NOETL_SCREENSHOTS` set to a directory, saves what the page looks like
    /// there, as `NAME-light.png` and `NAME-dark.png`.
    pub async fn screenshot(&self, name: &str) -> WebDriverResult<()> {
        let Some(directory) = std::env::var_os("NOETL_SCREENSHOTS").map(PathBuf::from) else {
            return Ok(());
        };
        std::fs::create_dir_all(&directory).expect("NOETL_SCREENSHOTS is a directory");
        for scheme in ["light", "dark"] {
            self.prefer_scheme(scheme).await?;
            let file = directory.join(format!("{name}-{scheme}.png"));
            self.driver.screenshot(&file).await?;
        }
        self.prefer_scheme("").await
    }

    /// Makes the page think that the person prefers `light` or `dark`.
    async fn prefer_scheme(&self, scheme: &str) -> WebDriverResult<()> {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        let parameters = json!({"features": features});
        let cdp = self.driver.cdp();
        cdp.send_raw("Emulation.setEmulatedMedia", parameters)
            .await?;
        Ok(())
    }
}
