//! `noetl:tool/postgres`: connections that the host keeps.

/// A connection of the step.
pub struct Connection;

/// A transaction of the step.
pub struct Transaction;

/// The step's way to PostgreSQL.
pub struct Postgres;
