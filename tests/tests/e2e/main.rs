//! One program for all end-to-end tests: they share what takes long to link.

mod browser_login;
mod cli;
mod flow;
mod http;
mod login;
mod postgres;
mod python;
mod sandbox;
