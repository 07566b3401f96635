//! The log of the program itself, on standard error.

use clap::{Args, ValueEnum};
use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;

/// How much is logged, and how.
#[derive(Debug, Args)]
pub struct Logging {
    /// Say more; twice, everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Say only what is wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// How the log on standard error is written
    #[arg(long, global = true, env = "TIDINGS_LOG_FORMAT", value_enum, default_value = "text")]
    log_format: Format,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// One object per line, for machines
    Json,
}

impl Logging {
    /// Begins to log. `filter` is the value of `TIDINGS_LOG`, which wins over the options.
    ///
    /// # Errors
    /// What is wrong with the filter.
    pub fn start(&self, filter: Option<&str>) -> Result<(), String> {
        let filter = self.filter(filter)?;
        let is_colourful = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
        let subscriber =
            tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(is_colourful);
        match self.log_format {
            Format::Text => subscriber.with_target(false).init(),
            Format::Json => subscriber.json().flatten_event(true).init(),
        }
        Ok(())
    }

    /// Libraries say what is wrong only, until everything is asked for. That of RabbitMQ calls every answer wrong
    /// that we asked for to learn whether something exists, and what is wrong is told by us.
    fn filter(&self, given: Option<&str>) -> Result<EnvFilter, String> {
        let directives = match (given, self.quiet, self.verbose) {
            (Some(given), ..) => given,
            (None, true, _) => "warn,lapin=off",
            (None, false, 0) => "warn,lapin=off,tidings=info",
            (None, false, 1) => "info,lapin=off,tidings=debug",
            (None, false, _) => "trace",
        };
        EnvFilter::try_new(directives).map_err(|error| format!("TIDINGS_LOG is not a filter: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_choose_how_much_and_the_variable_wins() {
        let filter = |verbose, quiet, given| {
            let logging = Logging { verbose, quiet, log_format: Format::Text };
            logging.filter(given).map(|filter| filter.max_level_hint().map(|level| level.to_string()))
        };
        for (verbose, quiet, given, level) in [
            (0, false, None, "info"),
            (1, false, None, "debug"),
            (2, false, None, "trace"),
            (0, true, None, "warn"),
            (0, true, Some("debug"), "debug"),
        ] {
            assert_eq!(filter(verbose, quiet, given), Ok(Some(level.to_owned())));
        }
        assert!(filter(0, false, Some("tidings=loud")).is_err());
    }
}
