//! Tidings from outside: a running server, real sockets, real databases.

mod cluster;
mod cut;
mod demo;
mod exact;
mod exact_latency;
mod exact_truncate;
mod kill;
mod load;
mod model;
mod monorail;
mod operator_install;
mod operator_mistakes;
mod postgres;
mod postgres_outbox;
mod postgres_parts;
mod postgres_store;
mod program;
mod resume;
mod serve_config;
mod serve_end;
mod serve_health;
mod server;
mod socket;
mod transcript;
mod writer;
