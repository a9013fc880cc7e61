//! One program for all end-to-end tests: they share what takes long to link.

mod browser_login;
mod cli;
mod flow;
mod grants;
mod http;
mod limits;
mod login;
mod postgres;
mod python;
mod sandbox;
mod sql_text;
mod workers;
