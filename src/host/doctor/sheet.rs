//! What an examination has found so far, check by check.

use jiff::SignedDuration;

use crate::host::diagnosis;
use crate::host::doctor::Stopped;
use crate::host::doctor::found::Patient;
use crate::host::link::HostError;
use crate::host::link::Target;
use crate::model::checkup::Check;
use crate::model::checkup::Checked;
use crate::model::checkup::Checkup;
use crate::model::checkup::Trouble;
use crate::model::checkup::Verdict;
use crate::model::host::Scheme;
use crate::model::host::Transport;
use crate::wire::session::NTLM_REFUSED;

/// The checks so far.
#[derive(Default)]
pub(super) struct Sheet {
    checks: Vec<Checked>,
    /// What the clocks differ by, by the date of an HTTP reply.
    dated: Option<SignedDuration>,
}

impl Sheet {
    pub(super) fn ok(&mut self, check: Check, seen: String) {
        self.checks.push(Checked { check, verdict: Verdict::Ok { seen } });
    }

    pub(super) fn fail(
        &mut self,
        check: Check,
        trouble: Trouble,
        seen: String,
        remedy: Vec<String>,
    ) -> Stopped {
        self.checks.push(Checked { check, verdict: Verdict::Failed { trouble, seen, remedy } });
        Stopped
    }

    pub(super) fn skip(&mut self, check: Check, because: String) {
        self.checks.push(Checked { check, verdict: Verdict::Skipped { because } });
    }

    pub(super) fn unreachable(
        &mut self,
        check: Check,
        error: &HostError,
        remedy: String,
    ) -> Stopped {
        self.fail(check, Trouble::Unreachable, error.failure().text(), vec![remedy])
    }

    /// A failed logon.
    pub(super) fn logon(
        &mut self,
        check: Check,
        error: &HostError,
        target: &Target,
        skew: Option<SignedDuration>,
    ) -> Stopped {
        let remedy = match error {
            HostError::Denied { user, .. } => diagnosis::refused(user, target, skew),
            HostError::Guarded { .. } => {
                vec!["settle the account first; it was spared a second refusal".to_owned()]
            }
            HostError::Unexpected { got, .. } if got.contains(NTLM_REFUSED) => vec![
                "set `ansible_winrm_transport: kerberos`, or let the host take NTLM: \"Network \
                 security: Restrict NTLM\" in its policy"
                    .to_owned(),
            ],
            HostError::Unexpected { .. } => vec![
                "the host does not take this scheme: `winrm get winrm/config/service/auth` on the \
                 host shows what it takes, Negotiate must be true"
                    .to_owned(),
            ],
            HostError::NotConnected { .. }
            | HostError::TicketRefused { .. }
            | HostError::Lost { .. }
            | HostError::Fault(_)
            | HostError::Cmdlet { .. }
            | HostError::Unsupported(_) => diagnosis::call(error, None),
        };
        self.fail(check, trouble(error), error.failure().text(), remedy)
    }

    /// A failed call over a connection that was let in.
    pub(super) fn call(&mut self, check: Check, error: &HostError, user: Option<&str>) -> Stopped {
        let remedy = diagnosis::call(error, user);
        self.fail(check, trouble(error), error.failure().text(), remedy)
    }

    pub(super) fn quota(&mut self, error: &HostError, user: Option<&str>) {
        let mut remedy = diagnosis::call(error, user);
        remedy.push(
            "other tools may hold this account's connections open: look at MaxConnections and \
             MaxConcurrentOperationsPerUser in `winrm get winrm/config/service`"
                .to_owned(),
        );
        self.fail(Check::Quota, trouble(error), error.failure().text(), remedy);
    }

    /// The date of an HTTP reply: what is told of the clock if nobody is let in to read it.
    pub(super) fn dated(&mut self, skew: Option<SignedDuration>) {
        self.dated = skew;
    }

    pub(super) fn clock(&mut self, skew: SignedDuration) {
        self.clock_by(skew, "");
    }

    fn clock_by(&mut self, skew: SignedDuration, source: &str) {
        let seen = match skew.abs().as_secs() {
            0..=1 => format!("agrees with ours{source}"),
            _ => format!("{} ours{source}", diagnosis::apart(skew)),
        };
        if skew.abs() <= diagnosis::LARGEST_SKEW {
            return self.ok(Check::Clock, seen);
        }
        let remedy = "Kerberos refuses clocks more than five minutes apart: `w32tm /resync` on the \
                      host, or set this workstation's time";
        self.fail(Check::Clock, Trouble::Wrong, seen, vec![remedy.to_owned()]);
    }

    /// Every check that was due and not tried is skipped, by name of what kept it.
    pub(super) fn close(mut self, patient: &Patient) -> Checkup {
        let because = self.checks.iter().rev().find_map(|checked| match checked.verdict {
            Verdict::Failed { .. } => Some(format!("{} failed", checked.check.word())),
            Verdict::Ok { .. } | Verdict::Skipped { .. } => None,
        });
        let because = because.unwrap_or_else(|| "the examination ended early".to_owned());
        if let Some(skew) = self.dated
            && !self.checks.iter().any(|checked| checked.check == Check::Clock)
        {
            self.clock_by(skew, ", by the date of its HTTP replies");
        }
        for check in due(patient) {
            if !self.checks.iter().any(|checked| checked.check == check) {
                let verdict = Verdict::Skipped { because: because.clone() };
                self.checks.push(Checked { check, verdict });
            }
        }
        Checkup { host: patient.target.host.clone(), checks: self.checks }
    }
}

fn due(patient: &Patient) -> impl Iterator<Item = Check> {
    let tls = (patient.target.endpoint.scheme == Scheme::Https).then_some(Check::Tls);
    let reached = [Check::Name, Check::Tcp].into_iter().chain(tls);
    let spn = (patient.target.endpoint.transport == Transport::Kerberos).then_some(Check::Spn);
    let always = [Check::Logon, Check::Identity, Check::Clock];
    let rights = (!patient.access.is_empty()).then_some(Check::Rights);
    let exchange = patient.exchange.is_some().then_some(Check::Exchange);
    reached
        .chain([Check::Http])
        .chain(spn)
        .chain(always)
        .chain(rights)
        .chain([Check::Service, Check::Quota])
        .chain(exchange)
}

pub(super) fn trouble(error: &HostError) -> Trouble {
    match error {
        HostError::NotConnected { .. } | HostError::Lost { .. } => Trouble::Unreachable,
        HostError::Denied { .. } | HostError::TicketRefused { .. } | HostError::Guarded { .. } => {
            Trouble::Refused
        }
        HostError::Fault(_)
        | HostError::Unexpected { .. }
        | HostError::Cmdlet { .. }
        | HostError::Unsupported(_) => Trouble::Wrong,
    }
}
