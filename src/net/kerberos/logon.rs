//! The posts of a logon by the system's library, and the tickets that are kept for the next one.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::host::link::HostError;
use crate::model::host::Endpoint;
use crate::model::host::Scheme;
use crate::net::accounts::Login;
use crate::net::accounts::Who;
use crate::net::guard::AccountGuard;
use crate::net::guard::Permit;
use crate::net::handshake;
use crate::net::http::Pipe;
use crate::net::http::Reply;
use crate::net::http::is_silence;
use crate::net::kerberos::context::Kerberos;
use crate::net::kerberos::mechanism::LibraryError;
use crate::net::kerberos::mechanism::Mechanism;
use crate::net::kerberos::mechanism::Trouble;
use crate::net::kerberos::system;
use crate::net::kerberos::system::Held;
use crate::net::kerberos::words::Concern;
use crate::net::kerberos::words::Where;
use crate::net::logon::post_token;
use crate::net::stats::Counters;
use crate::wire::certificate;
use crate::wire::context::ContextError;
use crate::wire::context::SecurityContext;
use crate::wire::multipart::Protocol;
use crate::wire::session;
use crate::wire::session::Session;
use crate::wire::spnego::krb_error;

/// How many threads may wait for a key distribution centre at once.
static TURNS: Semaphore = Semaphore::const_new(8);
/// The library has its own time limits; this one is for what it forgets.
const PATIENCE: Duration = Duration::from_mins(1);
/// Most tokens of ours in one logon; Kerberos has one, SPNEGO may have another.
const MAX_LEGS: usize = 4;
const LOGON: &str = "the logon";

/// Who the current user is to hosts, or in words why nobody.
pub async fn whoami() -> Result<String, String> {
    match blocking(|| Ok(system::whoami())).await {
        Ok(who) => who,
        Err(Trouble::Library(error)) => Err(error.text),
        Err(Trouble::Unsupported(why)) => Err(why),
    }
}

/// Logs on by the system's library. The guard is asked before the key distribution centre is,
/// because that is who counts wrong passwords; it is also who settles the guard's question. What a
/// host makes of a valid ticket concerns that host only.
pub(in crate::net) async fn logon(
    pipe: &mut Pipe,
    login: &Login,
    guard: &AccountGuard,
) -> Result<Session, HostError> {
    let mut first = system::first(pipe.target().endpoint.transport, login.who());
    let service = service(&pipe.target().endpoint, first)?;
    guard.check(login.user())?;
    let (binding, only) = bind(pipe).await?;
    if only && first == Mechanism::Spnego {
        first = Mechanism::Kerberos;
    }
    let permit = guard.admit(login.user()).await?;
    let mut attempt = Attempt { login, service: &service, binding, permit: Some(permit) };
    match attempt.run(pipe, first).await? {
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

/// What the logon is bound to, and whether the host is known to take raw Kerberos only.
///
/// Without TLS that is nothing. With TLS an empty post comes first: the first token holds the
/// binding already, and only a reply shows the host's certificate. Of a host that says nothing to
/// whoever does not log on, a handshake by itself shows it.
async fn bind(pipe: &mut Pipe) -> Result<(Option<Vec<u8>>, bool), HostError> {
    match pipe.target().endpoint.scheme {
        Scheme::Http => Ok((None, false)),
        Scheme::Https => {
            let reply = match pipe.post_nothing(LOGON).await {
                Ok(reply) => reply,
                Err(error) if is_silence(&error) => {
                    *pipe = pipe.again()?;
                    let shown = handshake::certificate(pipe.target()).await?;
                    return Ok((shown.as_deref().and_then(certificate::end_point_binding), false));
                }
                Err(error) => return Err(error),
            };
            let binding = pipe.end_point_binding()?;
            if reply.closes() {
                *pipe = pipe.again()?;
            }
            Ok((binding, only_kerberos(&reply.offered())))
        }
    }
}

/// The service that a ticket is asked for.
struct Service {
    class: &'static str,
    host: String,
}

/// A ticket is for a name; no domain has one for an address.
fn service(endpoint: &Endpoint, first: Mechanism) -> Result<Service, HostError> {
    let host = endpoint.spn.host.as_ref().unwrap_or(&endpoint.address);
    if by_ticket(first) && host.parse::<IpAddr>().is_ok() {
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

const LATE: &str = "the system's Kerberos gave no answer within a minute";

struct Attempt<'a> {
    login: &'a Login,
    service: &'a Service,
    binding: Option<Vec<u8>>,
    /// Until the key distribution centre has settled it.
    permit: Option<Permit>,
}

impl Attempt<'_> {
    async fn run(&mut self, pipe: &mut Pipe, mechanism: Mechanism) -> Result<Ended, HostError> {
        let (scheme, protocol) = if mechanism == Mechanism::Kerberos {
            ("Kerberos", Protocol::Kerberos)
        } else {
            ("Negotiate", Protocol::Spnego)
        };
        let (mut context, mut token) = self.begin(mechanism).await?;
        if by_ticket(mechanism) {
            // The domain has judged the account.
            self.accepted();
        }
        pipe.count(Counters { logons: 1, ..Counters::default() });
        for leg in 0..MAX_LEGS {
            if let Some(permit) = &mut self.permit {
                permit.sent();
            }
            let reply = post_token(pipe, scheme, &token).await?;
            let offered = reply.offered();
            let answer = offered.iter().find_map(|header| session::token_by(scheme, header));
            match (reply.status, answer) {
                (200 | 204, None) if context.complete() => {
                    self.accepted();
                    return Ok(Ended::In(Session::over(Box::new(context), protocol)));
                }
                (200 | 204, None) => {
                    return Err(HostError::Unexpected {
                        expected: "the host's own proof with its consent to the logon".to_owned(),
                        got: "none, so it may not be the host that it claims to be".to_owned(),
                    });
                }
                (status @ (200 | 204 | 401), Some(answer)) => {
                    let (back, next) = self.step(context, mechanism, answer).await?;
                    context = back;
                    match (status, next) {
                        (200 | 204, None) if context.complete() => {
                            self.accepted();
                            return Ok(Ended::In(Session::over(Box::new(context), protocol)));
                        }
                        (_, Some(next)) => token = next,
                        (_, None) => return Err(self.denied("the logon came to no end")),
                    }
                }
                (401, None) => {
                    if mechanism == Mechanism::Spnego && only_kerberos(&offered) {
                        return Ok(Ended::OtherScheme);
                    }
                    if by_ticket(mechanism) {
                        return Err(self.denied(&refusal(&offered, self.service)));
                    }
                    // The first token of NTLM names nobody, so nobody was refused by then.
                    if leg > 0
                        && let Some(permit) = self.permit.take()
                    {
                        permit.refused();
                    }
                    return Err(self.denied(
                        "HTTP 401; the account may have no right to log on there from the \
                         network, or NTLM is not allowed there",
                    ));
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
        let (class, host) = (self.service.class, self.service.host.clone());
        let binding = self.binding.clone();
        let work = move || -> Result<_, Trouble> {
            let held = match known.filter(|held| held.good()) {
                Some(held) => held,
                None => Arc::new(Held::get(&who)?),
            };
            let begin = |mechanism| -> Result<_, Trouble> {
                let context = held.context(mechanism, class, &host)?;
                let mut context = Kerberos::new(context, binding.clone());
                match context.step(None) {
                    Ok(token) => Ok((context, token.unwrap_or_default())),
                    Err(error) => Err(Trouble::Library(cause(&mut context, &error))),
                }
            };
            if mechanism == Mechanism::Spnego {
                // Kerberos itself goes first, because SPNEGO would hide what is wrong; the host's
                // ticket is then at hand.
                begin(Mechanism::Kerberos)?;
            }
            let (context, token) = begin(mechanism)?;
            Ok((context, held, token))
        };
        blocking(work).await.map_err(|trouble| self.trouble(trouble))
    }

    /// Takes in the host's token. One that refuses a ticket concerns the host alone: the domain has
    /// judged the account by then.
    async fn step(
        &mut self,
        mut context: Kerberos,
        mechanism: Mechanism,
        token: Vec<u8>,
    ) -> Result<(Kerberos, Option<Vec<u8>>), HostError> {
        let code = krb_error::code(&token);
        let work = move || -> Result<_, Trouble> {
            match context.step(Some(&token)) {
                Ok(next) => Ok((context, next)),
                Err(error) => Err(Trouble::Library(cause(&mut context, &error))),
            }
        };
        blocking(work).await.map_err(|trouble| match trouble {
            Trouble::Library(error) if by_ticket(mechanism) => {
                let Service { class, host } = self.service;
                HostError::TicketRefused {
                    service: format!("{class}/{host}"),
                    detail: refused_by_host(code, &error.text, self.service),
                }
            }
            trouble => self.trouble(trouble),
        })
    }

    fn trouble(&mut self, trouble: Trouble) -> HostError {
        let service = format!("{}/{}", self.service.class, self.service.host);
        let at = Where { user: self.login.user(), service: &service };
        let error = match trouble {
            Trouble::Unsupported(why) => return HostError::Unsupported(why),
            Trouble::Library(error) => error,
        };
        match (system::explain(&error, at), self.login.who()) {
            ((Concern::Account, text), Who::Password(_) | Who::Keytab { .. }) => {
                if let Some(permit) = self.permit.take() {
                    permit.refused();
                }
                self.denied(&text)
            }
            #[cfg(windows)]
            ((Concern::Unclear, text), _) => {
                // Dropped unsettled, it counts as an attempt, and few of those are made.
                if let Some(mut permit) = self.permit.take() {
                    permit.sent();
                }
                HostError::Unsupported(format!("{}: {text}", system::NAME))
            }
            ((Concern::Account | Concern::Other, text), _) => {
                HostError::Unsupported(format!("{}: {text}", system::NAME))
            }
        }
    }

    /// The account is good: others may go on.
    fn accepted(&mut self) {
        if let Some(permit) = self.permit.take() {
            permit.accepted();
        }
    }

    fn denied(&self, detail: &str) -> HostError {
        HostError::Denied { user: self.login.user().to_owned(), detail: detail.to_owned() }
    }
}

/// Whether the first token holds a ticket, so that it is the domain that judges the account.
fn by_ticket(mechanism: Mechanism) -> bool {
    matches!(mechanism, Mechanism::Spnego | Mechanism::Kerberos)
}

/// The library's own error behind what the context says.
fn cause(context: &mut Kerberos, error: &ContextError) -> LibraryError {
    context.error.take().unwrap_or_else(|| LibraryError { code: 0, text: error.to_string() })
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
        Ok(Err(panicked)) => {
            Err(Trouble::Library(LibraryError { code: 0, text: panicked.to_string() }))
        }
        Err(_) => Err(Trouble::Unsupported(LATE.to_owned())),
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

/// What a host says of a ticket that the domain gave us (RFC 4120 7.5.9); `seen` is the library's word
/// for it.
fn refused_by_host(code: Option<u32>, seen: &str, service: &Service) -> String {
    let Service { class, host } = service;
    let meaning = match code {
        Some(31 | 35 | 41 | 44 | 45) => format!(
            "it cannot read it: the service principal belongs to another account (`setspn -Q \
             {class}/{host}` shows whose it is), or the password of the host's computer account has \
             changed since (get a new ticket)"
        ),
        Some(32 | 33 | 37) => "its clock differs from the domain's by more than five minutes: set \
                               it there (`w32tm /resync`)"
            .to_owned(),
        Some(14) => "it takes no ticket of that encryption type".to_owned(),
        Some(_) | None => format!("for no reason that is known; its token means: {seen}"),
    };
    code.map_or_else(|| meaning.clone(), |code| format!("KRB-ERROR {code}: {meaning}"))
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
    fn a_hosts_own_error_is_told_from_the_domains() {
        let service = Service { class: "HTTP", host: "fs01".to_owned() };
        let check = |code, expected: &str| {
            let text = refused_by_host(code, "said so", &service);
            assert!(text.contains(expected), "{text}");
        };
        check(Some(37), "w32tm /resync");
        check(Some(41), "setspn -Q HTTP/fs01");
        check(Some(60), "KRB-ERROR 60: for no reason that is known; its token means: said so");
        check(None, "said so");
    }

    #[test]
    fn a_refusal_names_what_the_host_would_take() {
        let service = Service { class: "HTTP", host: "fs01".to_owned() };
        assert!(refusal(&["Negotiate"], &service).contains("HTTP/fs01"));
        assert_eq!(refusal(&["Basic"], &service), "the host takes no Kerberos, only Basic");
    }
}
