//! The arguments of the commands that run the engine, and the configuration that they make together with a
//! file and the environment.

use crate::app::{self, schemas};
use crate::config::{Config, Overrides};
use crate::demo::{self, Existing};
use crate::error::Result;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use uuid::Uuid;

/// Which configuration: a file, or databases to serve as they are, or both.
#[derive(Debug, Args)]
pub struct Settings {
    /// Databases to serve as they are: every table that has a key, like postgres://user@host/database
    #[arg(value_name = "URL")]
    urls: Vec<String>,
    /// The configuration file; tidings.example.toml has every key
    #[arg(long, env = "TIDINGS_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// `tidings serve`.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    settings: Settings,
    /// Where to listen [default: 127.0.0.1:9100]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where the log is kept [default: in memory]
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<String>,
    /// Make the outbox and its triggers in the databases where they are missing
    #[arg(long)]
    install: bool,
    /// Let anyone read on an address that is reachable from outside
    #[arg(long)]
    open: bool,
}

/// `tidings demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Where to listen [default: 127.0.0.1:9100]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Let the data centre live in these databases; the file has the resources skus, nodes, catalogs, workflows
    /// and logs. Their tables are made where they are missing [default: the embedded store, in memory]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Remove the rows that those resources have already
    #[arg(long, requires = "config")]
    wipe: bool,
    /// Only write, where another Tidings serves
    #[arg(long, requires = "config")]
    write_only: bool,
}

/// `tidings check`.
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    settings: Settings,
}

/// `tidings sql`.
#[derive(Debug, Args)]
pub struct Sql {
    #[command(subcommand)]
    pub action: SqlAction,
}

/// What to do with the outbox, its triggers, and the table of pushes.
#[derive(Debug, Subcommand)]
pub enum SqlAction {
    /// Print the statements, for somebody else to run
    Print(Check),
    /// Make them in the databases
    Install(Check),
    /// Take them out of the databases again
    Remove(Check),
    /// Print tables that fit a dialect, for a database that has none
    Schema(Schema),
}

/// `tidings sql schema`.
#[derive(Debug, Args)]
pub struct Schema {
    #[arg(value_parser = PossibleValuesParser::new(schemas::dialects()))]
    pub dialect: String,
}

impl Settings {
    /// The configuration, checked as a whole.
    fn read(&self, mut overrides: Overrides) -> Result<Config> {
        overrides.urls.extend(self.urls.iter().cloned());
        match &self.config {
            Some(path) => Config::from_file(path, &overrides),
            None => Ok(Config::from_text("command line", "", &overrides)?),
        }
    }
}

impl Serve {
    /// The configuration to serve.
    ///
    /// # Errors
    /// `Configuration`, with everything that is wrong.
    pub fn config(&self, mut overrides: Overrides) -> Result<Config> {
        let texts = [("server.listen", "--listen", &self.listen), ("server.data", "--data", &self.data)];
        for (key, option, text) in texts {
            overrides.options.extend(text.iter().map(|text| (key, option, text.clone())));
        }
        if self.open {
            overrides.options.push(("server.open", "--open", "true".to_owned()));
        }
        let mut config = self.settings.read(overrides)?;
        if self.install {
            config.sources.iter_mut().for_each(|source| source.install = true);
        }
        Ok(config)
    }
}

impl Demo {
    fn options(&self) -> Vec<(&'static str, &'static str, String)> {
        self.listen.iter().map(|listen| ("server.listen", "--listen", listen.clone())).collect()
    }

    /// What the demo is to do.
    ///
    /// # Errors
    /// `Configuration`, with everything that is wrong.
    pub fn read(&self, overrides: Overrides) -> Result<app::Demo> {
        let options = self.options();
        let (config, existing) = match &self.config {
            // Another configuration may be in the environment; the demo without a file is none's.
            None => {
                let secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
                let variables = [(demo::SECRET.to_owned(), secret)].into();
                let overrides = Overrides { variables, options, ..Overrides::default() };
                (Config::from_text("demo", &demo::config_text(), &overrides)?, Existing::Removed)
            }
            Some(path) => {
                let existing = if self.wipe { Existing::Removed } else { Existing::Kept };
                (Config::from_file(path, &Overrides { options, ..overrides })?, existing)
            }
        };
        Ok(app::Demo { config, existing, serves: !self.write_only, has_scenes: self.config.is_none() })
    }
}

impl Check {
    /// The configuration to look at.
    ///
    /// # Errors
    /// `Configuration`, with everything that is wrong.
    pub fn config(&self, overrides: Overrides) -> Result<Config> {
        self.settings.read(overrides)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        serve: Serve,
    }

    fn serve(arguments: &[&str]) -> Result<Config> {
        Line::try_parse_from(["serve"].iter().chain(arguments)).unwrap().serve.config(Overrides::default())
    }

    #[test]
    fn options_stand_over_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "server.listen = \"127.0.0.1:1\"\nsources.a.url = \"postgres://h/a\"").unwrap();
        let path = file.path().to_str().unwrap();
        let config = serve(&["--config", path, "--listen", ":2", "--open", "--data", "d", "postgres://h/b"]).unwrap();
        assert_eq!(config.server.listen.port(), 2);
        assert_eq!(config.server.data, Some("d".into()));
        let sources: Vec<_> = config.sources.iter().map(|source| (source.name.as_str(), source.install)).collect();
        assert_eq!(sources, [("a", false), ("b", false)]);
        assert!(serve(&["--install", "postgres://h/b"]).unwrap().sources[0].install);
    }

    #[test]
    fn a_mistake_is_named_by_the_option_that_makes_it() {
        let said = serve(&["--listen", "example.com:1", "postgres://h/a", "mysql://h/b"]).unwrap_err().to_string();
        assert!(said.starts_with("--listen: server.listen: "), "{said}");
        assert!(said.contains("\nmysql://h/b: "), "{said}");
        let said = serve(&["--listen", ":9100", "postgres://h/a"]).unwrap_err().to_string();
        assert!(said.contains("anyone may read a") && said.contains("--open"), "{said}");
    }
}
