//! What the process finds around itself: variables, terminal, user. Read once, then a value.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;

use etcetera::BaseStrategy;

use crate::cli::config;
use crate::cli::config::Given;
use crate::cli::stop::Stop;

/// The environment as data, so that everything decided from it can be tested.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    pub variables: BTreeMap<String, String>,
    pub stdin_is_terminal: bool,
    pub stdout_is_terminal: bool,
    /// Columns and rows of the terminal, if there is one.
    pub terminal: Option<(u16, u16)>,
    /// `$XDG_STATE_HOME/rmsfleet` or `%LOCALAPPDATA%\rmsfleet`.
    pub state_dir: Option<PathBuf>,
    pub windows: bool,
    /// What `rmsfleet.toml` and its like give, by flag, with its place.
    pub configured: Given,
    /// The user's own folder, where SSH keys are.
    pub home_dir: Option<PathBuf>,
}

impl Surroundings {
    /// The only place that looks.
    pub fn detect() -> Self {
        let terminal = terminal_size::terminal_size().map(|(columns, rows)| (columns.0, rows.0));
        let state_dir = etcetera::choose_base_strategy().ok().map(|strategy| {
            // Windows has no state folder of its own; the local, unroamed data folder serves.
            strategy.state_dir().unwrap_or_else(|| strategy.cache_dir()).join("rmsfleet")
        });
        Self {
            variables: std::env::vars_os()
                .filter_map(|(name, text)| {
                    Some((name.into_string().ok()?, text.into_string().ok()?))
                })
                .collect(),
            stdin_is_terminal: std::io::stdin().is_terminal(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            terminal,
            state_dir,
            windows: cfg!(windows),
            configured: Given::new(),
            home_dir: etcetera::home_dir().ok(),
        }
    }

    pub fn home(&self) -> Option<PathBuf> {
        self.home_dir.clone()
    }

    /// A variable that is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// `RMSFLEET_<FLAG>` of a flag such as `run-dir`, else what a file gives for it.
    pub fn flag(&self, name: &str) -> Option<&str> {
        let given = || self.configured.get(name).map(|(value, _)| value.as_str());
        self.variable(&variable_of(name)).or_else(given)
    }

    /// Where [`Self::flag`] has its value from.
    pub fn origin(&self, name: &str) -> Option<String> {
        if self.variable(&variable_of(name)).is_some() {
            return Some(variable_of(name));
        }
        self.configured.get(name).map(|(_, at)| at.clone())
    }

    /// The same with what the files of the project, the user and the system give.
    pub fn configure(mut self) -> Result<Self, Stop> {
        let cwd = std::env::current_dir().unwrap_or_default();
        let user = etcetera::choose_base_strategy().ok();
        let user = user.map(|strategy| strategy.config_dir().join("rmsfleet"));
        let system = if self.windows {
            self.variable("PROGRAMDATA").map(|folder| PathBuf::from(folder).join("rmsfleet"))
        } else {
            Some(PathBuf::from("/etc/rmsfleet"))
        };
        self.configured = config::gather(&cwd, user.as_deref(), system.as_deref())?;
        Ok(self)
    }

    /// Who is at the keyboard, as far as the environment tells: `CORP\anna`.
    pub fn operator(&self) -> String {
        let user = self.variable("USERNAME").or_else(|| self.variable("USER"));
        let user = user.or_else(|| self.variable("LOGNAME")).unwrap_or("unknown");
        match self.variable("USERDOMAIN") {
            Some(domain) => format!("{domain}\\{user}"),
            None => user.to_owned(),
        }
    }

    /// This machine's name, as far as the environment tells.
    pub fn workstation(&self) -> String {
        let name = self.variable("COMPUTERNAME").or_else(|| self.variable("HOSTNAME"));
        name.map(str::to_owned)
            .or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok())
            .map_or_else(|| "unknown".to_owned(), |name| name.trim().to_owned())
    }

    /// Whether text beyond ASCII may be written: the locale says UTF-8, or the system is Windows.
    pub fn speaks_unicode(&self) -> bool {
        let locale =
            ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| self.variable(name));
        self.windows
            || locale.is_some_and(|locale| {
                let locale = locale.to_ascii_lowercase();
                locale.contains("utf-8") || locale.contains("utf8")
            })
    }
}

fn variable_of(flag: &str) -> String {
    format!("RMSFLEET_{}", flag.to_uppercase().replace('-', "_"))
}

/// A variable that holds a secret: read when it is needed, and kept nowhere else.
#[expect(clippy::disallowed_methods, reason = "a secret is read by its user, not carried along")]
pub fn secret(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}
