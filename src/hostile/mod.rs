//! Hostile bytes: every decoder with what it must keep whatever it is given, the messages that a
//! search begins with, and how they are spoiled.
//!
//! An oracle panics when a promise is broken, as a decoder would. Three searches use them: the tests
//! (a few inputs), `examples/hostile` (as many as asked for) and `fuzz` (guided by coverage).

pub mod dice;
mod files;
mod lab;
mod logon;
pub mod mutate;
mod psrp;
pub mod seeds;
mod soap;

/// One decoder under test.
#[derive(Debug, Clone, Copy)]
pub struct Decoder {
    /// Also the name of its fuzz target.
    pub name: &'static str,
    /// Decodes, and panics if a promise is broken.
    pub oracle: fn(&[u8]),
}

const fn decoder(name: &'static str, oracle: fn(&[u8])) -> Decoder {
    Decoder { name, oracle }
}

/// Every decoder of bytes that somebody else wrote.
pub const DECODERS: &[Decoder] = &[
    decoder("multipart", logon::multipart),
    decoder("session", logon::session),
    decoder("ntlm_challenge", logon::challenge),
    decoder("ntlm_acceptor", logon::acceptor),
    decoder("spnego", logon::spnego),
    decoder("certificate", logon::certificate),
    decoder("xml", soap::xml),
    decoder("wsman", soap::wsman),
    decoder("shell", soap::shell),
    decoder("winrs", soap::winrs),
    decoder("fragments", psrp::fragments),
    decoder("message", psrp::message),
    decoder("clixml", psrp::clixml),
    decoder("pool", psrp::pool),
    decoder("lab_pool", lab::pool),
    decoder("lab_request", lab::request),
    decoder("wql", lab::wql),
    decoder("command_line", lab::command_line),
    decoder("plan", files::plan),
    decoder("approval", files::approval),
    decoder("journal", files::journal),
    decoder("inventory", files::inventory),
    decoder("playbook", files::playbook),
    decoder("rules", files::rules),
    decoder("template", files::template),
    decoder("pattern", files::pattern),
    decoder("credentials", files::credentials),
];

/// Runs the oracle of that name; a name that no decoder has is a broken promise too.
pub fn check(name: &str, bytes: &[u8]) {
    let decoder = DECODERS.iter().find(|decoder| decoder.name == name);
    assert!(decoder.is_some(), "no decoder is called {name}");
    if let Some(decoder) = decoder {
        (decoder.oracle)(bytes);
    }
}
