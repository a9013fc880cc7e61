//! One program for all end-to-end tests: they share what takes long to link.

mod abandoned;
mod browser_login;
mod catalog;
mod cli;
mod configuration;
mod console;
mod executions;
mod flow;
mod frozen;
mod grants;
mod http;
mod limits;
mod login;
mod master_key;
mod observability;
mod postgres;
mod python;
mod sandbox;
mod secrets;
mod service;
mod service_http;
mod sql_text;
mod tenants;
mod tokens;
mod workers;
