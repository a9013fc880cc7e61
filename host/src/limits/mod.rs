//! What a step may use: the one table of all limits. Who enforces a limit is
//! somewhere else: the sandbox, or the capability that it is about.

mod amount;
mod file;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use amount::Amount;
pub use amount::Unit;
pub use file::Setting;
pub(crate) use file::read;

/// One row for each limit: its name, what it is of, the default, the most that
/// can be granted, what a step over it did, and what to do about it.
macro_rules! limits {
    ($($(#[doc = $doc:literal])+
        $variant:ident $field:ident: $type:ty, $unit:ident, $default:expr, up to $most:expr,
        $over:literal, $less:literal;)+) => {
        /// The name of a limit.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Limit {
            $($(#[doc = $doc])+ $variant,)+
        }

        /// The limits of one step.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub struct Limits {
            $($(#[doc = $doc])+ pub $field: $type,)+
            /// Which of them the playbook has narrowed for this step.
            pub narrowed: Narrowed,
        }

        impl Limit {
            /// Every limit, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its name in files, messages and records.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($field),)+ }
            }

            /// What it is measured in.
            #[must_use]
            pub fn unit(self) -> Unit {
                match self { $(Self::$variant => Unit::$unit,)+ }
            }

            /// The most that a tenant can be granted.
            #[must_use]
            pub fn most(self) -> u64 {
                match self { $(Self::$variant => $most,)+ }
            }

            fn texts(self) -> (&'static str, &'static str) {
                match self { $(Self::$variant => ($over, $less),)+ }
            }
        }

        impl Limits {
            /// The value of a limit, in milliseconds, bytes or pieces.
            #[must_use]
            pub fn get(&self, limit: Limit) -> u64 {
                match limit { $(Limit::$variant => self.$field.number(),)+ }
            }

            /// Sets a limit, in milliseconds, bytes or pieces.
            pub fn set(&mut self, limit: Limit, value: u64) {
                match limit { $(Limit::$variant => self.$field = Amount::of(value),)+ }
            }
        }

        impl Default for Limits {
            fn default() -> Self {
                Self {
                    $($field: Amount::of($default),)+
                    narrowed: Narrowed::default(),
                }
            }
        }
    };
}

const SECOND: u64 = 1000;
const DAY: u64 = 24 * 3600 * SECOND;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

limits! {
    /// Wall-clock time from start to answer, also while a host call runs.
    Time time: Duration, Milliseconds, 30 * SECOND, up to DAY,
        "the step took longer than", "make it shorter";
    /// Time that a processor really worked for the step.
    Cpu cpu: Duration, Milliseconds, 10 * SECOND, up to DAY,
        "the step computed for longer than", "compute less";
    /// Linear memory.
    Memory memory: u64, Bytes, 256 * MIB, up to 4 * GIB,
        "the step needed more memory than", "keep less in memory at once";
    /// Elements of a table, such as that of a component's functions.
    TableElements table_elements: u64, Count, 100_000, up to 100_000,
        "the step needed a larger table than", "use a tool with smaller tables";
    /// Core instances that a component consists of.
    Instances instances: u64, Count, 64, up to 64,
        "the tool consists of more instances than", "use a simpler tool";
    /// The result's JSON text.
    Output output: u64, Bytes, 8 * MIB, up to 256 * MIB,
        "the step's result is larger than", "return less";
    /// The log's messages. What does not fit is counted and dropped.
    Log log: u64, Bytes, MIB, up to 64 * MIB,
        "the step's log is longer than", "write less";
    /// Calls from the instance to the host: the log, PostgreSQL, clocks,
    /// randomness, output streams.
    HostCalls host_calls: u64, Count, 1_000_000, up to 1_000_000_000_000,
        "the step called the host more often than", "print less, or ask for the time less often";
    /// What one call between the instance and the host may move.
    HostCallBytes host_call_bytes: u64, Bytes, 16 * MIB, up to GIB,
        "one call between the tool and the host, or the tool's result, moved more than", "move less at once";
    /// Connections opened, statements, transactions begun.
    PostgresCalls postgres_calls: u64, Count, 1_000, up to 1_000_000_000,
        "the step called PostgreSQL more often than", "use fewer statements";
    /// Connections held at the same time.
    PostgresConnections postgres_connections: u64, Count, 4, up to 16,
        "the step asked for more connections at the same time than", "close one first";
    /// One statement with its parameters.
    PostgresStatementBytes postgres_statement_bytes: u64, Bytes, 4 * MIB, up to GIB,
        "a statement and its parameters have more bytes than", "send less at once";
    /// Rows of all results.
    PostgresRows postgres_rows: u64, Count, 10_000, up to 1_000_000_000,
        "the step's results have more rows than", "add a LIMIT to the statement";
    /// All results, as PostgreSQL sends them.
    PostgresBytes postgres_bytes: u64, Bytes, 16 * MIB, up to GIB,
        "the step's results have more bytes than", "select fewer rows or columns";
    /// HTTP requests, each redirect that is followed included.
    HttpRequests http_requests: u64, Count, 50, up to 1_000_000,
        "the step sent more HTTP requests than", "send fewer";
    /// One HTTP request: its URL, headers and body.
    HttpRequestBytes http_request_bytes: u64, Bytes, 4 * MIB, up to GIB,
        "an HTTP request has more bytes than", "send less at once";
    /// The bodies of all HTTP answers, as they come.
    HttpBytes http_bytes: u64, Bytes, 16 * MIB, up to GIB,
        "the answers to the step's HTTP requests have more bytes than", "ask for less";
}

impl Limit {
    /// The limit of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|limit| limit.name() == name)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Narrowed(u32);

impl Narrowed {
    /// Whether the limit is in the set.
    #[must_use]
    pub fn contains(self, limit: Limit) -> bool {
        self.0 & (1 << limit as u32) != 0
    }

    fn insert(&mut self, limit: Limit) {
        self.0 |= 1 << limit as u32;
    }
}

impl Limits {
    /// A limit with its value, as people write it: `time = 30s`.
    #[must_use]
    pub fn show(&self, limit: Limit) -> String {
        format!("{limit} = {}", limit.unit().show(self.get(limit)))
    }

    /// What to tell of a step that is over a limit: the limit, its value, and
    /// how to raise it.
    #[must_use]
    pub fn exceeded(&self, limit: Limit) -> String {
        let (over, less) = limit.texts();
        let whose = match self.narrowed.contains(limit) {
            true => format!("raise `{limit}` in `limits` of the step in its playbook"),
            false => {
                format!("have the operator raise `limits.{limit}` of the tenant in the grants file")
            }
        };
        format!("{over} its limit {}; {less}, or {whose}", self.show(limit))
    }

    /// These limits with what a step sets over them.
    ///
    /// # Errors
    /// The first setting that is wider than here, which is not allowed.
    pub fn narrow(mut self, step: &[Setting]) -> Result<Self, TooWide> {
        for setting in step {
            self.allows(setting)?;
            self.set(setting.limit, setting.value);
            self.narrowed.insert(setting.limit);
        }
        Ok(self)
    }

    /// Whether a step may set this.
    ///
    /// # Errors
    /// If it is wider than here.
    pub fn allows(&self, setting: &Setting) -> Result<(), TooWide> {
        let Setting { limit, value, .. } = *setting;
        let granted = self.get(limit);
        match value <= granted {
            true => Ok(()),
            false => Err(TooWide {
                limit,
                asked: value,
                granted,
            }),
        }
    }
}

/// A step asks for more than its tenant has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{limit} = {} is more than its tenant has, {}; ask for less, or have the operator raise `limits.{limit}` of the tenant in the grants file",
    limit.unit().show(*asked),
    limit.unit().show(*granted)
)]
pub struct TooWide {
    /// Of what.
    pub limit: Limit,
    /// What the step asks for.
    pub asked: u64,
    /// What its tenant has.
    pub granted: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_can_be_granted_and_every_name_is_known() {
        for &limit in Limit::ALL {
            assert!(Limits::default().get(limit) <= limit.most(), "{limit}");
            assert_eq!(Limit::named(limit.name()), Some(limit));
        }
        assert!(Limit::ALL.len() <= 32, "they are the bits of `Narrowed`");
    }

    #[test]
    fn the_documentation_has_every_limit_as_it_is() {
        let text = include_str!("../../../docs/limits-and-grants.md");
        for &limit in Limit::ALL {
            let show = |value| limit.unit().show(value);
            let row = text
                .lines()
                .find(|line| line.starts_with(&format!("| `{limit}` |")))
                .unwrap_or_else(|| panic!("no row for {limit}"));
            let values = format!(
                "| {} | {} |",
                show(Limits::default().get(limit)),
                show(limit.most())
            );
            assert!(row.ends_with(&values), "{row}\n{values}");
        }
    }

    fn setting(limit: Limit, value: u64) -> Setting {
        Setting {
            limit,
            value,
            position: crate::yaml::Position::default(),
        }
    }

    #[test]
    fn a_step_narrows_and_never_widens() {
        let tenant = Limits::default();
        let step = tenant
            .narrow(&[setting(Limit::Time, 100), setting(Limit::Memory, 64 << 20)])
            .unwrap();
        assert_eq!(step.time, Duration::from_millis(100));
        assert_eq!(step.memory, 64 << 20);
        let wide = tenant.narrow(&[setting(Limit::Output, 1), setting(Limit::Memory, 1 << 30)]);
        assert_eq!(
            wide.unwrap_err().to_string(),
            "memory = 1GiB is more than its tenant has, 256MiB; ask for less, or have the operator \
             raise `limits.memory` of the tenant in the grants file"
        );
    }

    #[test]
    fn a_message_says_whose_limit_it_was() {
        let tenant = Limits::default();
        assert_eq!(
            tenant.exceeded(Limit::PostgresRows),
            "the step's results have more rows than its limit postgres_rows = 10000; add a LIMIT to \
             the statement, or have the operator raise `limits.postgres_rows` of the tenant in the grants file"
        );
        let step = tenant.narrow(&[setting(Limit::Time, 100)]).unwrap();
        assert_eq!(
            step.exceeded(Limit::Time),
            "the step took longer than its limit time = 100ms; make it shorter, or raise `time` in \
             `limits` of the step in its playbook"
        );
    }
}
