//! The command line: what can be asked of the program, and how it ends.

mod logging;
mod settings;
mod tail;
mod token;

pub use settings::{Check, Demo, Serve, Settings, Sql, SqlAction};

use crate::app::{self, schemas};
use crate::bench::{self, BenchArguments};
use crate::config::Overrides;
use crate::error::{Error, Kind, Result};
use crate::wire;
use clap::{Parser, Subcommand};
use std::future::Future;
use std::io;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  Look around: a simulated data centre, and the console
    tidings demo
  Serve every table of a database that has a key
    tidings serve --install postgres://localhost/inventory
  Tell everything that is wrong, and how to put it right
    tidings check --config tidings.toml
  Follow one resource in the terminal
    tidings tail localhost:9100 nodes '{\"type\": \"compute\"}' --initial
  Make a token
    tidings token --subject ann --role admin --config tidings.toml

Environment:
  TIDINGS_CONFIG  the configuration file
  TIDINGS_LOG     a filter for the log, like \"warn,tidings=debug\"
  TIDINGS_TOKEN   the token that tail shows
  TIDINGS_…       every value of the configuration: server.listen is TIDINGS_SERVER_LISTEN

Exit codes:
  0  it is done
  1  it failed
  2  the command line or the configuration is wrong
  3  check found something to put right";

/// The exit code of a check that found something to put right.
const TO_FIX: u8 = 3;

/// Tells people what changed: watches databases and pushes every change over WebSockets.
#[derive(Debug, Parser)]
#[command(name = "tidings", version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    logging: logging::Logging,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Follow databases and push their changes to whoever watches
    Serve(Serve),
    /// Watch a simulated data centre, without any database or in databases of yours
    Demo(Demo),
    /// Look whether the configuration and every database are in order
    Check(Check),
    /// Print, install or remove what a database needs to be followed
    Sql(Sql),
    /// Measure this program beside a plain writer
    Bench(BenchArguments),
    /// Follow a resource of a running server, one line per change
    Tail(tail::Tail),
    /// Make a token for a client
    Token(token::Token),
}

/// Runs the command line of this process. A failure is one line on standard error (a wrong configuration is
/// one line per mistake).
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    wire::tls::choose_provider();
    let overrides = Overrides::from_environment();
    let filter = overrides.variables.get("TIDINGS_LOG").map(String::as_str);
    let started = cli.logging.start(filter).map_err(|sentence| Error::new(Kind::Configuration, sentence));
    match started.and_then(|()| cli.command.run(overrides)) {
        Ok(code) => code,
        Err(error) => {
            for line in error.chain().lines() {
                // What is indented belongs to the line before.
                let prefix = if line.starts_with(' ') { "" } else { "error: " };
                eprintln!("{prefix}{line}");
            }
            ExitCode::from(code_of(error.kind()))
        }
    }
}

impl Command {
    fn run(self, overrides: Overrides) -> Result<ExitCode> {
        match self {
            Command::Serve(serve) => block_on(app::serve(serve.config(overrides)?))??,
            Command::Demo(demo) => block_on(app::demo(demo.read(overrides)?))??,
            Command::Check(check) => {
                let is_well = block_on(app::check(&check.config(overrides)?, &mut io::stdout()))??;
                return Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::from(TO_FIX) });
            }
            Command::Sql(Sql { action: SqlAction::Print(which) }) => {
                block_on(app::sql_print(&which.config(overrides)?, &mut io::stdout()))??;
            }
            Command::Sql(Sql { action: SqlAction::Install(which) }) => {
                block_on(app::sql_install(&which.config(overrides)?, &mut io::stdout()))??;
            }
            Command::Sql(Sql { action: SqlAction::Remove(which) }) => {
                block_on(app::sql_remove(&which.config(overrides)?, &mut io::stdout()))??;
            }
            Command::Sql(Sql { action: SqlAction::Schema(of) }) => {
                print!("{}", schemas::schema(&of.dialect).unwrap_or_default());
            }
            Command::Bench(arguments) => bench::run(&arguments)?,
            Command::Tail(tail) => block_on(tail.run(&mut io::stdout()))??,
            Command::Token(token) => println!("{}", token.make(&overrides)?),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The exit code of a failure.
fn code_of(kind: Kind) -> u8 {
    match kind {
        Kind::Configuration => 2,
        _ => 1,
    }
}

/// Runs a future on a runtime of its own, which does not outlive it: whoever asked twice to end does not wait.
fn block_on<F: Future>(future: F) -> Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::because(Kind::Internal, "cannot start the runtime", error))?;
    let output = runtime.block_on(future);
    runtime.shutdown_background();
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_in_order_and_helps() {
        let mut command = Cli::command();
        command.clone().debug_assert();
        for name in ["demo", "serve", "check", "tail", "token"] {
            assert!(command.render_help().to_string().contains(&format!("  tidings {name}")), "{name}");
        }
    }

    #[test]
    fn a_wrong_configuration_is_told_from_a_failure() {
        assert_eq!(code_of(Kind::Configuration), 2);
        assert_eq!(code_of(Kind::Unreachable), 1);
    }
}
