//! Recorded negotiations: every token is read, written again to the byte, and its signature made.

use serde_json::Value;

use crate::wire::ntlm::Keys;
use crate::wire::spnego::Acceptor;
use crate::wire::spnego::Initiator;
use crate::wire::spnego::NTLM;
use crate::wire::spnego::SpnegoError;
use crate::wire::spnego::token::Init;
use crate::wire::spnego::token::Message;
use crate::wire::spnego::token::State;

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2).unwrap(), 16).unwrap())
        .collect()
}

/// The recorded negotiations, or nothing with a visible line.
fn recorded() -> Vec<Value> {
    let shared = std::env::var_os("RMSFLEET_SHARED")
        .unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared").into());
    let path = std::path::Path::new(&shared).join("captures/ntlm/ntlm_vectors.json");
    let Ok(bytes) = std::fs::read(&path) else {
        skip(&path);
        return Vec::new();
    };
    let vectors: Value = serde_json::from_slice(&bytes).unwrap();
    let all = vectors["scenarios"].as_array().unwrap().clone();
    let with_mic = all.into_iter().filter(|one| one["server_mech_list_mic"].is_string());
    let found: Vec<Value> = with_mic.collect();
    assert!(found.len() >= 3, "{} negotiations", found.len());
    found
}

#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
fn skip(path: &std::path::Path) {
    eprintln!("SKIP: no {}", path.display());
}

/// The tokens on the wire, the first of the client before its bare inner form left out.
fn tokens(recorded: &Value) -> Vec<Vec<u8>> {
    let all = recorded["all_rawdata_in_order"].as_array().unwrap();
    let all = all.iter().map(|token| unhex(token.as_str().unwrap()));
    all.filter(|token| Message::is_likely(token)).collect()
}

fn keys(recorded: &Value) -> (Keys, Keys) {
    let exported = unhex(recorded["exported_session_key"].as_str().unwrap());
    Keys::both_sides(exported.try_into().unwrap())
}

#[test]
fn recorded_tokens_are_written_as_they_were_read() {
    let mut written = 0;
    for recorded in recorded() {
        for token in tokens(&recorded) {
            let Ok(message) = Message::decode(&token) else {
                // The only ones that are not SPNEGO's: the mechanism in the frame is Kerberos.
                let kerberos = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12];
                assert!(token.windows(8).take(8).any(|bytes| bytes == kerberos), "{recorded}");
                continue;
            };
            let hints = matches!(&message, Message::Init(Init { token: None, .. }));
            if !hints {
                let again = message.encode();
                assert!(again.ends_with(&token), "{recorded}");
                written += 1;
            }
        }
    }
    assert!(written >= 10 || written == 0, "{written} tokens");
}

#[test]
fn recorded_signatures_over_the_list_verify_and_are_made_alike() {
    for recorded in recorded() {
        let tokens = tokens(&recorded);
        let (mut client, mut server) = keys(&recorded);
        let list = unhex(recorded["mech_type_list_der"].as_str().unwrap());
        let offer = tokens.iter().find_map(|token| match Message::decode(token) {
            Ok(Message::Init(init)) if init.list == list && token.first() == Some(&0x60) => {
                Some(token.clone())
            }
            Ok(_) | Err(_) => None,
        });
        let (mut acceptor, inner) = Acceptor::accept(&offer.unwrap()).unwrap();
        let first_wish = inner.is_some();
        if !first_wish {
            let asked = tokens.iter().find(|token| {
                matches!(Message::decode(token), Ok(Message::Resp(resp))
                    if resp.state == Some(State::RequestMic))
            });
            assert_eq!(asked, Some(&acceptor.ask_for_ntlm()));
        }
        let challenge = unhex(recorded["challenge"].as_str().unwrap());
        assert!(tokens.contains(&acceptor.challenge(&challenge)));
        let (ending, before) = tokens.split_last().unwrap();
        let (inner, mic) = Acceptor::unwrap(before.last().unwrap()).unwrap();
        assert_eq!(inner, unhex(recorded["authenticate"].as_str().unwrap()));
        // The server's last word, byte for byte, from the client's signature on.
        assert_eq!(acceptor.complete(mic.as_deref(), &mut server), Ok(ending.clone()));
        let initiator = Initiator { list: Some(list) };
        assert_eq!(initiator.finish(ending, &mut client), Ok(()));
        let mut altered = ending.clone();
        *altered.last_mut().unwrap() ^= 1;
        // Its last bytes are the sequence number, which is signed too.
        assert_eq!(initiator.finish(&altered, &mut client), Err(SpnegoError::Altered));
    }
}

#[test]
fn a_client_that_prefers_something_else_must_sign_its_list() {
    let exported = [7; 16];
    let (mut client, mut server) = Keys::both_sides(exported);
    let kerberos: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2];
    let list = crate::wire::spnego::token::list(&[kerberos, NTLM]);
    let init = Init {
        mechanisms: vec![kerberos.to_vec(), NTLM.to_vec()],
        list: list.clone(),
        token: Some(vec![1]),
        mic: None,
    };
    let (acceptor, inner) = Acceptor::accept(&Message::Init(init).encode()).unwrap();
    assert_eq!(inner, None, "the token is Kerberos'");
    assert_eq!(acceptor.complete(None, &mut server), Err(SpnegoError::Altered));
    let mic = client.sign_list(&list);
    assert!(acceptor.complete(Some(&mic), &mut server).is_ok());
}
