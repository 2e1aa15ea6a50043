//! Flags with the environment behind them.

use std::path::Path;
use std::path::PathBuf;
use std::str::FromStr;

use crate::cli::args::LabArgs;
use crate::cli::args::Shared;
use crate::cli::config::KEYS;
use crate::cli::config::Setting;
use crate::cli::listed;
use crate::cli::request::Action;
use crate::cli::request::By;
use crate::cli::request::Consent;
use crate::cli::request::Files;
use crate::cli::request::Lab;
use crate::cli::request::Output;
use crate::cli::request::PlanRequest;
use crate::cli::request::Source;
use crate::cli::sealed;
use crate::cli::surroundings::Surroundings;
use crate::cli::terminal;
use crate::cli::usage::UsageError;
use crate::journal::control::Word;
use crate::manifest::inventory::BasicScope;
use crate::model::host::HostName;
use crate::model::preflight::Waiver;

/// The shared flags with the environment behind them.
pub(super) struct Resolved<'a> {
    pub(super) shared: Shared,
    pub(super) around: &'a Surroundings,
}

impl Resolved<'_> {
    pub(super) fn path(&self, flag: &str, typed: Option<&PathBuf>) -> Option<PathBuf> {
        typed.cloned().or_else(|| self.around.flag(flag).map(PathBuf::from))
    }

    pub(super) fn text(&self, flag: &str, typed: Option<&String>) -> Option<String> {
        typed.cloned().or_else(|| self.around.flag(flag).map(str::to_owned))
    }

    pub(super) fn limit(&self) -> Result<Option<String>, UsageError> {
        let typed = self.text("limit", self.shared.limit.as_ref());
        typed.map(|text| listed::expand(&text)).transpose()
    }

    fn timeout(&self) -> Result<Option<u32>, UsageError> {
        let Some(text) = self.text("timeout", self.shared.timeout.as_ref()) else {
            return Ok(None);
        };
        match duration(&text).filter(|seconds| (1..=3600).contains(seconds)) {
            Some(seconds) => Ok(Some(seconds)),
            None => Err(UsageError::new(
                format!("--timeout `{text}` is no time from 1s to 1h"),
                "write 90s or 2m",
            )),
        }
    }

    pub(super) fn rules(&self) -> Option<PathBuf> {
        self.path("rules", self.shared.rules.as_ref())
    }

    pub(super) fn switch(&self, flag: &str, typed: bool) -> Result<bool, UsageError> {
        match self.around.flag(flag) {
            _ if typed => Ok(true),
            None | Some("0" | "false" | "no") => Ok(false),
            Some("1" | "true" | "yes") => Ok(true),
            Some(other) => Err(UsageError::new(
                format!("RMSFLEET_{} is `{other}`", flag.to_uppercase().replace('-', "_")),
                "write 1 or 0",
            )),
        }
    }

    pub(super) fn number<N: FromStr>(
        &self,
        flag: &str,
        typed: Option<N>,
    ) -> Result<Option<N>, UsageError> {
        let Some(text) = self.around.flag(flag) else { return Ok(typed) };
        match (typed, text.parse()) {
            (Some(number), _) | (None, Ok(number)) => Ok(Some(number)),
            (None, Err(_)) => Err(UsageError::new(
                format!("RMSFLEET_{} is `{text}`", flag.to_uppercase().replace('-', "_")),
                "write a number",
            )),
        }
    }

    /// The lab's farm is made from `-i FILE`, and only from the flag: a variable meant for the
    /// real fleet must not change what the demonstration is.
    pub(super) fn lab_inventory(&self) -> Source {
        self.shared.inventory.clone().map_or(Source::EmbeddedLab, Source::File)
    }

    pub(super) fn files(&self, lab: Option<&Lab>) -> Result<Files, UsageError> {
        let inventory = if lab.is_some() {
            self.lab_inventory()
        } else {
            Source::File(
                self.path("inventory", self.shared.inventory.as_ref())
                    .unwrap_or_else(|| Path::new("inventory.yml").to_owned()),
            )
        };
        let vars = self.shared.var.iter().map(|text| {
            text.split_once('=')
                .filter(|(name, _)| !name.trim().is_empty())
                .map(|(name, value)| (name.trim().to_owned(), value.to_owned()))
                .ok_or_else(|| {
                    UsageError::new(
                        format!("--var `{text}` has no name or no `=`"),
                        "write --var name=value",
                    )
                })
        });
        Ok(Files {
            is_named: self.path("inventory", self.shared.inventory.as_ref()).is_some(),
            inventory,
            playbook: self.path("playbook", self.shared.playbook.as_ref()),
            rules: self.rules(),
            credentials: self.path("credentials", self.shared.credentials.as_ref()),
            vars: vars.collect::<Result<_, _>>()?,
            var_files: self.shared.var_file.clone(),
            basic: if self.shared.danger_basic_over_http {
                BasicScope::Anywhere
            } else {
                BasicScope::Tls
            },
        })
    }

    pub(super) fn state(&self) -> Result<PathBuf, UsageError> {
        self.path("run-dir", self.shared.run_dir.as_ref())
            .or_else(|| self.around.state_dir.clone())
            .ok_or_else(|| {
                UsageError::new("no folder to record runs in was found", "give --run-dir DIR")
            })
    }

    pub(super) fn consent(&self) -> Result<Consent, UsageError> {
        let waive = self.shared.waive.iter().map(|text| {
            let (what, reason) = match text.split_once('=') {
                Some((what, reason)) => (what, Some(reason.trim())),
                None => (text.as_str(), None),
            };
            what.rsplit_once(':')
                .filter(|(host, id)| !host.is_empty() && !id.is_empty())
                .filter(|_| reason.is_none_or(|reason| !reason.is_empty()))
                .map(|(host, id)| Waiver {
                    host: HostName::new(host),
                    id: id.to_owned(),
                    reason: reason.map(str::to_owned),
                })
                .ok_or_else(|| {
                    UsageError::new(
                        format!("--waive `{text}` does not name a host, a blocker and a reason"),
                        "write --waive 'HOST:ID=why', as the plan prints it",
                    )
                })
        });
        let no_input = self.switch("no-input", self.shared.no_input)?;
        Ok(Consent {
            yes: self.shared.yes,
            confirm: self.shared.confirm.clone(),
            waive: waive.collect::<Result<_, _>>()?,
            waive_servers: self.shared.waive_server.clone(),
            may_ask: !no_input && self.around.stdin_is_terminal,
        })
    }

    pub(super) fn plan(
        &self,
        out: Option<PathBuf>,
        lab: &LabArgs,
    ) -> Result<PlanRequest, UsageError> {
        let lab = lab.lab.then(|| Lab { faults: lab.faults.clone(), facts: lab.facts.clone() });
        Ok(PlanRequest {
            files: self.files(lab.as_ref())?,
            limit: self.limit()?,
            forks: self.number("forks", self.shared.forks)?.filter(|forks| *forks > 0),
            timeout: self.timeout()?,
            consent: self.consent()?,
            out,
            save_facts: None,
            detailed_exitcode: self.switch("detailed-exitcode", self.shared.detailed_exitcode)?,
            lab,
            state: self.state()?,
            by: self.by(),
        })
    }

    /// Everything that a flag, a variable or a file may set, as it holds.
    pub(super) fn settings(&self) -> Vec<Setting> {
        let typed = |name: &str| {
            let shared = &self.shared;
            let path =
                |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
            let on = |switch: bool| switch.then(|| "true".to_owned());
            match name {
                "inventory" => path(&shared.inventory),
                "playbook" => path(&shared.playbook),
                "credentials" => path(&shared.credentials),
                "rules" => path(&shared.rules),
                "run-dir" => path(&shared.run_dir),
                "json-into" => path(&shared.json_into),
                "log-file" => path(&shared.log_file),
                "forks" => shared.forks.map(|forks| forks.to_string()),
                "timeout" => shared.timeout.clone(),
                "no-input" => on(shared.no_input),
                "full" => on(shared.full),
                "stats" => on(shared.stats),
                "detailed-exitcode" => on(shared.detailed_exitcode),
                "format" => shared.format.map(|word| format!("{word:?}").to_lowercase()),
                "color" => shared.color.map(|word| format!("{word:?}").to_lowercase()),
                "progress" => shared.progress.map(|word| format!("{word:?}").to_lowercase()),
                _ => None,
            }
        };
        let usual = |name: &str| match name {
            "inventory" => Some("inventory.yml".to_owned()),
            "run-dir" => self.around.state_dir.as_ref().map(|path| path.display().to_string()),
            "format" => Some("human".to_owned()),
            "color" | "progress" => Some("auto".to_owned()),
            _ => None,
        };
        let setting = |name: &'static str| {
            let given = self.around.flag(name).map(str::to_owned);
            let (value, origin) = match (typed(name), given) {
                (Some(value), _) => (Some(value), "flag".to_owned()),
                (None, Some(value)) => (Some(value), self.around.origin(name).unwrap_or_default()),
                (None, None) => (usual(name), "default".to_owned()),
            };
            Setting { name, value, origin }
        };
        KEYS.map(setting).into()
    }

    pub(super) fn tell(&self, run: String, word: Word) -> Result<Action, UsageError> {
        Ok(Action::Tell { state: self.state()?, run, word, by: self.by() })
    }

    pub(super) fn by(&self) -> By {
        By { operator: self.around.operator(), workstation: self.around.workstation() }
    }

    /// A sealed plan is carried out as it is.
    pub(super) fn refuse_another(&self, limited: bool) -> Result<(), UsageError> {
        match sealed::maker_of_another(&self.shared, limited) {
            None => Ok(()),
            Some(flag) => Err(UsageError::new(
                format!("{flag} cannot change a plan that is sealed"),
                format!("make another plan with it: rmsfleet plan {flag} ... -o FILE"),
            )),
        }
    }

    /// What goes back is told by the run and by its hosts; only what stands in the way is up to a
    /// person.
    pub(super) fn refuse_another_but_waivers(&self, plan: &PlanRequest) -> Result<(), UsageError> {
        let (waive, waive_server) = (Vec::new(), Vec::new());
        let shared = Shared { waive, waive_server, ..self.shared.clone() };
        match sealed::maker_of_another(&shared, plan.limit.is_some()) {
            None => Ok(()),
            Some(flag) => Err(UsageError::new(
                format!("{flag} says nothing to a run that is taken back"),
                "a run goes back as a whole; what must stay is left with --waive HOST:drifted",
            )),
        }
    }

    pub(super) fn output(&self) -> Result<Output, UsageError> {
        let format = terminal::format(self.shared.format, self.around)?;
        Ok(Output {
            format,
            look: terminal::look(&self.shared, format, self.around)?,
            json_into: self.path("json-into", self.shared.json_into.as_ref()),
            run_dir: self.shared.run_dir.clone(),
            log_file: self.path("log-file", self.shared.log_file.as_ref()),
            stats: self.switch("stats", self.shared.stats)?,
            full: self.switch("full", self.shared.full)?,
            host: self.shared.host.clone(),
        })
    }
}

/// `90s`, `2m`, `1h`.
fn duration(text: &str) -> Option<u32> {
    let (number, unit) = text.trim().split_at_checked(text.trim().len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    number.parse::<u32>().ok()?.checked_mul(seconds)
}
