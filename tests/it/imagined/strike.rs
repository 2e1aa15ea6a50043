//! What can befall one message between the controller and a host.

use jiff::SignedDuration;

use rmsfleet::host::link::HostError;
use rmsfleet::wire::fault::Fault;

use crate::imagined::fleet::Fleet;
use crate::imagined::fleet::World;

/// What befalls messages: from the one of a number on, so many to the same host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blow {
    pub(crate) at: usize,
    pub(crate) strike: Strike,
    pub(crate) times: usize,
    /// Whom it has hit.
    host: Option<String>,
}

impl Blow {
    pub(crate) fn new(at: usize, strike: Strike, times: usize) -> Self {
        Self { at, strike, times, host: None }
    }
}

/// What can befall one message, as it looks from the controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strike {
    /// Nobody takes the connection, or it is gone before the message is sent.
    Refused,
    /// The connection breaks before the host has the message.
    ResetBefore,
    /// The host does what it is asked, and the connection breaks before its answer.
    ResetAfter,
    /// The host does what it is asked and says nothing.
    Silence,
    /// The host does what it is asked; half of its answer arrives.
    Half,
    /// As before, with the number of another message.
    WrongSequence,
    /// A fault; nothing was done.
    Fault500,
    /// The service is starting; nothing was done.
    Busy503,
    /// The logon is refused: the domain controller is starting.
    Denied401,
    /// The account lacks the right.
    AccessDenied,
    /// The host goes down and never comes back.
    NeverReturns,
    /// As before, and it did what it was asked first.
    NeverReturnsAfter,
    /// The host restarts by itself.
    SecondBoot,
    /// As before, and it did what it was asked first.
    SecondBootAfter,
}

/// How a call ends that was struck.
pub(crate) enum Struck {
    /// As if nothing had happened.
    No,
    /// Not carried out.
    Before(HostError),
    /// Carried out, and answered so; then the host may go down.
    After(HostError, Aftermath),
    /// Answered with a code of Windows, and not carried out.
    Code(u32),
}

/// What becomes of a host that was struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aftermath {
    Stays,
    Leaves,
    Restarts,
}

impl World {
    pub(crate) fn suffer(&mut self, name: &str, aftermath: Aftermath) {
        let now = self.now;
        let machine = self.machines.get_mut(name).unwrap();
        match aftermath {
            Aftermath::Stays => {}
            Aftermath::Leaves => machine.luck.unreachable = true,
            Aftermath::Restarts => machine.goes_down(now),
        }
    }

    /// The strike that falls on this message, if one does.
    fn falls(&mut self, name: &str) -> Option<Strike> {
        let number = self.messages;
        self.messages += 1;
        let blow = self.strike.as_mut()?;
        let hit = match &blow.host {
            None => number == blow.at,
            Some(host) => blow.times > 0 && host == name,
        };
        if !hit {
            return None;
        }
        blow.host = Some(name.to_owned());
        blow.times -= 1;
        Some(blow.strike)
    }
}

impl Fleet {
    /// Counts a message, and gives what befalls it.
    pub(crate) fn struck(&self, name: &str, call: &str) -> Struck {
        self.with(|world| {
            let Some(strike) = world.falls(name) else { return Struck::No };
            world.log.push(format!("{name} struck by {strike:?} at {call}"));
            let lost = || HostError::Lost { call: call.to_owned(), source: "reset by peer".into() };
            let odd = |got: &str| HostError::Unexpected {
                expected: "an answer".to_owned(),
                got: got.to_owned(),
            };
            match strike {
                Strike::Refused | Strike::ResetBefore if call == "connect" => {
                    Struck::Before(HostError::NotConnected {
                        endpoint: name.to_owned(),
                        source: "refused".into(),
                    })
                }
                Strike::Refused | Strike::ResetBefore => Struck::Before(lost()),
                Strike::ResetAfter => Struck::After(lost(), Aftermath::Stays),
                Strike::Half => Struck::After(odd("half an envelope"), Aftermath::Stays),
                Strike::WrongSequence => {
                    Struck::After(odd("the answer to another message"), Aftermath::Stays)
                }
                Strike::Silence => {
                    world.now = world.now.checked_add(SignedDuration::from_secs(80)).unwrap();
                    Struck::After(lost(), Aftermath::Stays)
                }
                Strike::Fault500 => Struck::Before(HostError::Fault(Box::default())),
                Strike::Busy503 => Struck::Before(odd("HTTP status 503")),
                Strike::Denied401 => Struck::Before(HostError::Denied {
                    user: "admin".to_owned(),
                    detail: "no logon server".to_owned(),
                }),
                Strike::AccessDenied => Struck::Code(5),
                Strike::NeverReturns => {
                    world.suffer(name, Aftermath::Leaves);
                    Struck::Before(lost())
                }
                Strike::NeverReturnsAfter => Struck::After(lost(), Aftermath::Leaves),
                Strike::SecondBoot => {
                    world.suffer(name, Aftermath::Restarts);
                    Struck::Before(lost())
                }
                Strike::SecondBootAfter => Struck::After(lost(), Aftermath::Restarts),
            }
        })
    }

    /// For calls that answer with no code of Windows.
    pub(crate) fn passes(&self, name: &str, call: &str) -> Result<(), HostError> {
        match self.struck(name, call) {
            Struck::No => Ok(()),
            Struck::Before(error) => Err(error),
            Struck::After(error, aftermath) => {
                self.with(|world| world.suffer(name, aftermath));
                Err(error)
            }
            Struck::Code(code) => Err(fault(code)),
        }
    }

    /// For the shells of a host: what is answered, and whether the cmdlet is carried out first.
    pub(crate) fn cmdlet_passes(&self, name: &str) -> Result<(), (Option<Aftermath>, HostError)> {
        match self.struck(name, "cmdlet") {
            Struck::No => Ok(()),
            Struck::Before(error) => Err((None, error)),
            Struck::After(error, aftermath) => Err((Some(aftermath), error)),
            Struck::Code(code) => {
                let (cmdlet, message) = ("a cmdlet".to_owned(), format!("code {code}"));
                Err((None, HostError::Cmdlet { cmdlet, message }))
            }
        }
    }
}

pub(crate) fn fault(code: u32) -> HostError {
    HostError::Fault(Box::new(Fault { code: Some(code), ..Fault::default() }))
}
