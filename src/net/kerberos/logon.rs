//! The posts of a Kerberos logon, and the tickets that are kept for the next one.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::host::link::HostError;
use crate::model::host::Endpoint;
use crate::net::accounts::Login;
use crate::net::accounts::Who;
use crate::net::gss;
use crate::net::gss::Credential;
use crate::net::gss::Gss;
use crate::net::gss::GssError;
use crate::net::gss::Mechanism;
use crate::net::guard::AccountGuard;
use crate::net::guard::Permit;
use crate::net::http::Pipe;
use crate::net::http::Reply;
use crate::net::kerberos::context::Kerberos;
use crate::net::kerberos::tickets::Held;
use crate::net::kerberos::words;
use crate::net::kerberos::words::Concern;
use crate::net::kerberos::words::Where;
use crate::net::logon::post_token;
use crate::net::stats::Counters;
use crate::wire::context::ContextError;
use crate::wire::context::SecurityContext;
use crate::wire::multipart::Protocol;
use crate::wire::session;
use crate::wire::session::Session;

/// How many threads may wait for a key distribution centre at once.
static TURNS: Semaphore = Semaphore::const_new(8);
/// The library has its own time limits; this one is for what it forgets.
const PATIENCE: Duration = Duration::from_mins(1);
/// Most tokens of ours in one logon; Kerberos has one, SPNEGO may have another.
const MAX_LEGS: usize = 4;

/// The principal of the current user's ticket, or in words why there is none.
pub async fn whoami() -> Result<String, String> {
    let at = Where { user: "USER@REALM", service: "HTTP/HOST" };
    let work = || -> Result<_, Trouble> {
        let gss = Gss::load().map_err(Trouble::Absent)?;
        Ok(Credential::of_user(gss, Mechanism::Kerberos).and_then(|cred| cred.about())?)
    };
    match blocking(work).await {
        Ok((_, 0)) => Err("the Kerberos ticket has expired: type `kinit`".to_owned()),
        Ok((principal, _)) => Ok(principal),
        Err(trouble) => Err(match trouble {
            Trouble::Gss(error) => {
                format!("no Kerberos ticket is at hand: {}", words::explain(&error, at).1)
            }
            Trouble::Absent(seen) => words::absent(seen),
            Trouble::Late => LATE.to_owned(),
        }),
    }
}

/// Logs on by Kerberos. The guard is asked before the key distribution centre is, because that is
/// who counts wrong passwords; it is also who settles the guard's question. What a host makes of a
/// valid ticket concerns that host only.
pub(in crate::net) async fn logon(
    pipe: &mut Pipe,
    login: &Login,
    guard: &AccountGuard,
) -> Result<Session, HostError> {
    let service = service(&pipe.target().endpoint)?;
    guard.check(login.user())?;
    let permit = guard.admit(login.user()).await?;
    let mut attempt = Attempt { login, service: &service, permit: Some(permit) };
    match attempt.run(pipe, Mechanism::Spnego).await? {
        Ended::In(session) => Ok(session),
        Ended::OtherScheme => {
            *pipe = pipe.again()?;
            match attempt.run(pipe, Mechanism::Kerberos).await? {
                Ended::In(session) => Ok(session),
                Ended::OtherScheme => Err(attempt.denied("the host takes no Kerberos")),
            }
        }
    }
}

/// The service that a ticket is asked for.
struct Service {
    class: &'static str,
    host: String,
}

/// A ticket is for a name; no domain has one for an address.
fn service(endpoint: &Endpoint) -> Result<Service, HostError> {
    let host = endpoint.spn.host.as_ref().unwrap_or(&endpoint.address);
    if host.parse::<IpAddr>().is_ok() {
        return Err(HostError::Unsupported(format!(
            "Kerberos needs the host's name, and `{host}` is an address: write the DNS name as \
             `ansible_host` or `ansible_winrm_kerberos_hostname_override`, or use \
             `ansible_winrm_transport: ntlm`"
        )));
    }
    Ok(Service { class: endpoint.spn.class.as_str(), host: host.clone() })
}

enum Ended {
    In(Session),
    /// The host does not offer `Negotiate`, but `Kerberos`.
    OtherScheme,
}

/// What can go wrong in a thread that blocks.
enum Trouble {
    Gss(GssError),
    /// The library is not there.
    Absent(&'static str),
    Late,
}

const LATE: &str = "the Kerberos library gave no answer within a minute";

impl From<GssError> for Trouble {
    fn from(error: GssError) -> Self {
        Self::Gss(error)
    }
}

struct Attempt<'a> {
    login: &'a Login,
    service: &'a Service,
    /// Until the key distribution centre has settled it.
    permit: Option<Permit>,
}

impl Attempt<'_> {
    async fn run(&mut self, pipe: &mut Pipe, mechanism: Mechanism) -> Result<Ended, HostError> {
        let (scheme, protocol) = match mechanism {
            Mechanism::Spnego => ("Negotiate", Protocol::Spnego),
            Mechanism::Kerberos => ("Kerberos", Protocol::Kerberos),
        };
        let (mut context, mut token) = self.begin(mechanism).await?;
        if let Some(permit) = self.permit.take() {
            permit.accepted();
        }
        pipe.count(Counters { logons: 1, ..Counters::default() });
        for _ in 0..MAX_LEGS {
            let reply = post_token(pipe, scheme, &token).await?;
            let offered = reply.offered();
            let answer = offered.iter().find_map(|header| session::token_by(scheme, header));
            match (reply.status, answer) {
                (200 | 204, None) if context.complete() => {
                    return Ok(Ended::In(Session::over(Box::new(context), protocol)));
                }
                (200 | 204, None) => {
                    return Err(HostError::Unexpected {
                        expected: "the host's own proof with its consent to the logon".to_owned(),
                        got: "none, so it may not be the host that it claims to be".to_owned(),
                    });
                }
                (status @ (200 | 204 | 401), Some(answer)) => {
                    let (back, next) = self.step(context, Some(answer)).await?;
                    context = back;
                    match (status, next) {
                        (200 | 204, None) if context.complete() => {
                            return Ok(Ended::In(Session::over(Box::new(context), protocol)));
                        }
                        (_, Some(next)) => token = next,
                        (_, None) => return Err(self.denied("the logon came to no end")),
                    }
                }
                (401, None) => {
                    return if mechanism == Mechanism::Spnego && only_kerberos(&offered) {
                        Ok(Ended::OtherScheme)
                    } else {
                        Err(self.denied(&refusal(&offered, self.service)))
                    };
                }
                (_, _) => return Err(unexpected(&reply)),
            }
        }
        Err(self.denied("the logon came to no end"))
    }

    /// Gets tickets and the first token.
    async fn begin(&mut self, mechanism: Mechanism) -> Result<(Kerberos, Vec<u8>), HostError> {
        let tickets = Arc::clone(&self.login.tickets);
        let mut kept = tickets.0.lock().await;
        let known = kept.as_ref().map(Arc::clone);
        if known.is_some() {
            // Only who has to get the first tickets keeps the others waiting.
            drop(kept);
            let (context, held, token) = self.first(mechanism, known).await?;
            *tickets.0.lock().await = Some(held);
            return Ok((context, token));
        }
        let (context, held, token) = self.first(mechanism, None).await?;
        *kept = Some(held);
        Ok((context, token))
    }

    async fn first(
        &mut self,
        mechanism: Mechanism,
        known: Option<Arc<Held>>,
    ) -> Result<(Kerberos, Arc<Held>, Vec<u8>), HostError> {
        let who = self.login.who().clone();
        let service = format!("{}@{}", self.service.class, self.service.host);
        let work = move || -> Result<_, Trouble> {
            let gss = Gss::load().map_err(Trouble::Absent)?;
            let held = match known.filter(|held| held.good()) {
                Some(held) => held,
                None => Arc::new(Held::get(gss, &who)?),
            };
            // Kerberos itself goes first, also under SPNEGO, which would hide what is wrong; the
            // host's ticket is then at hand.
            let begin = |mechanism| -> Result<_, Trouble> {
                let credential = held.by(mechanism);
                let mut context = Kerberos::new(gss::Context::new(credential, &service)?);
                match context.step(None) {
                    Ok(token) => Ok((context, token.unwrap_or_default())),
                    Err(error) => Err(Trouble::Gss(cause(&mut context, &error))),
                }
            };
            let (mut context, mut token) = begin(Mechanism::Kerberos)?;
            if mechanism == Mechanism::Spnego {
                (context, token) = begin(mechanism)?;
            }
            Ok((context, held, token))
        };
        blocking(work).await.map_err(|trouble| self.trouble(trouble))
    }

    async fn step(
        &mut self,
        mut context: Kerberos,
        token: Option<Vec<u8>>,
    ) -> Result<(Kerberos, Option<Vec<u8>>), HostError> {
        let work = move || -> Result<_, Trouble> {
            match context.step(token.as_deref()) {
                Ok(next) => Ok((context, next)),
                Err(error) => Err(Trouble::Gss(cause(&mut context, &error))),
            }
        };
        blocking(work).await.map_err(|trouble| self.trouble(trouble))
    }

    fn trouble(&mut self, trouble: Trouble) -> HostError {
        let service = format!("{}/{}", self.service.class, self.service.host);
        let at = Where { user: self.login.user(), service: &service };
        let error = match trouble {
            Trouble::Absent(seen) => return HostError::Unsupported(words::absent(seen)),
            Trouble::Late => return HostError::Unsupported(LATE.to_owned()),
            Trouble::Gss(error) => error,
        };
        match (words::explain(&error, at), self.login.who()) {
            ((Concern::Account, text), Who::Password(_)) => {
                if let Some(permit) = self.permit.take() {
                    permit.refused();
                }
                self.denied(&text)
            }
            ((Concern::Account | Concern::Other, text), _) => {
                HostError::Unsupported(format!("Kerberos: {text}"))
            }
        }
    }

    fn denied(&self, detail: &str) -> HostError {
        HostError::Denied { user: self.login.user().to_owned(), detail: detail.to_owned() }
    }
}

/// The library's own error behind what the context says.
fn cause(context: &mut Kerberos, error: &ContextError) -> GssError {
    context.error.take().unwrap_or_else(|| GssError { minor: 0, text: error.to_string() })
}

/// Runs what may wait for a key distribution centre where waiting harms nobody.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Trouble> {
    // The semaphore is never closed; were it, the work would only be less bounded.
    let turn = TURNS.acquire().await.ok();
    let task = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work()
    });
    match tokio::time::timeout(PATIENCE, task).await {
        Ok(Ok(result)) => result,
        Ok(Err(panicked)) => Err(Trouble::Gss(GssError { minor: 0, text: panicked.to_string() })),
        Err(_) => Err(Trouble::Late),
    }
}

fn only_kerberos(offered: &[&str]) -> bool {
    let has = |name: &str| {
        offered.iter().any(|offer| {
            offer.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case(name))
        })
    };
    has("Kerberos") && !has("Negotiate")
}

/// Why a host refuses a ticket that the domain gave us.
fn refusal(offered: &[&str], service: &Service) -> String {
    let names: Vec<&str> =
        offered.iter().filter_map(|offer| offer.split_whitespace().next()).collect();
    if names.iter().any(|name| ["negotiate", "kerberos"].contains(&&*name.to_lowercase())) {
        format!(
            "HTTP 401 to a valid ticket for {}/{}; the service principal belongs to another \
             account, the host's clock is wrong, it is still starting, or Kerberos is not allowed \
             there",
            service.class, service.host
        )
    } else if names.is_empty() {
        "the host offers no way to log on".to_owned()
    } else {
        format!("the host takes no Kerberos, only {}", names.join(", "))
    }
}

fn unexpected(reply: &Reply) -> HostError {
    HostError::Unexpected { expected: "a Kerberos logon".to_owned(), got: reply.words() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_kerberos_is_for_hosts_that_offer_nothing_better() {
        assert!(only_kerberos(&["kerberos"]));
        assert!(only_kerberos(&["Basic realm=\"x\"", "Kerberos"]));
        assert!(!only_kerberos(&["Negotiate", "Kerberos"]));
        assert!(!only_kerberos(&[]));
    }

    #[test]
    fn a_refusal_names_what_the_host_would_take() {
        let service = Service { class: "HTTP", host: "fs01".to_owned() };
        assert!(refusal(&["Negotiate"], &service).contains("HTTP/fs01"));
        assert_eq!(refusal(&["Basic"], &service), "the host takes no Kerberos, only Basic");
    }
}
