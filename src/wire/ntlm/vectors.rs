//! Published values: [MS-NLMP] 4.2.4 inline, recorded handshakes from the shared captures.

use serde_json::Value;
use zeroize::Zeroizing;

use crate::model::secret::Secret;
use crate::wire::ntlm::FileTime;
use crate::wire::ntlm::Keys;
use crate::wire::ntlm::Seal;
use crate::wire::ntlm::acceptor::AwaitAuthenticate;
use crate::wire::ntlm::authenticate;
use crate::wire::ntlm::avpair;
use crate::wire::ntlm::keys::Side;
use crate::wire::ntlm::keys::exchange;
use crate::wire::ntlm::payload;
use crate::wire::ntlm::response;
use crate::wire::ntlm::response::Key;
use crate::wire::ntlm::response::utf16;
use crate::wire::ntlm::seal::Direction;

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2).unwrap(), 16).unwrap())
        .collect()
}

fn key(text: &str) -> Key {
    Zeroizing::new(unhex(text).try_into().unwrap())
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name}"))
}

/// The vectors, or `None` with a visible line where the shared folder is not at hand.
fn vectors() -> Option<Value> {
    let shared = std::env::var_os("RMSFLEET_SHARED")
        .unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared").into());
    let path = std::path::Path::new(&shared).join("captures/ntlm/ntlm_vectors.json");
    let Ok(bytes) = std::fs::read(&path) else {
        skip(&path);
        return None;
    };
    Some(serde_json::from_slice(&bytes).unwrap())
}

#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
fn skip(path: &std::path::Path) {
    eprintln!("SKIP: no {}", path.display());
}

#[test]
fn the_values_of_the_specification_come_out() {
    // [MS-NLMP] 4.2.1 and 4.2.4.
    let challenge = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
    let own = response::ntowfv2("User", "Domain", &Secret::new("Password".to_owned()));
    assert_eq!(own, key("0c868a403bfd7a93a3001ef22ef02e3f"));
    let info = unhex("02000c0044006f006d00610069006e0001000c0053006500720076006500720000000000");
    let got = response::respond(&own, challenge, [0xaa; 8], FileTime(0), &info);
    assert_eq!(got.nt[..16], unhex("68cd0ab851e51c96aabc927bebef6a1c"));
    assert_eq!(got.session_base_key, key("8de40ccadbc14a82f15cb0ad0de95ca3"));
    assert_eq!(
        response::lmv2(&own, challenge, [0xaa; 8]),
        unhex("86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa")
    );
    let exported = Zeroizing::new([0x55; 16]);
    assert_eq!(
        exchange(&got.session_base_key, exported.clone()),
        key("c5dad2544fc9799094ce1ce90bc9d03e")
    );
    let keys = Keys::derive(&exported, Side::Client);
    assert_eq!(keys.outgoing.seal, key("59f600973cc4960a25480a7c196e4c58"));
    assert_eq!(keys.outgoing.sign, key("4788dc861b4782f35d43fd98fe1a2d39"));
    let (signature, cipher) = Seal::new(keys).seal(&utf16("Plaintext")).unwrap();
    assert_eq!(cipher, unhex("54e50165bf1936dc996020c1811b0f06fb5f"));
    assert_eq!(signature.to_vec(), unhex("010000007fb38ec5c55d497600000000"));
}

#[test]
fn the_published_response_input_is_reproduced_to_the_byte() {
    let Some(vectors) = vectors() else { return };
    let spec = &vectors["ms_nlmp_4_2_4"];
    let own = key(text(spec, "ntowfv2"));
    let temp = unhex(text(spec, "temp"));
    let info = avpair::parse(&temp[response::TEMP_HEAD..]).unwrap();
    let challenge = unhex(text(spec, "server_challenge")).try_into().unwrap();
    let got = response::respond(&own, challenge, [0xaa; 8], FileTime(0), &avpair::render(&info));
    assert_eq!(got.nt[16..], temp);
    assert_eq!(got.nt[..16], unhex(text(spec, "nt_proof_str")));
}

#[test]
fn a_channel_binding_is_the_published_one() {
    let Some(vectors) = vectors() else { return };
    let binding = &vectors["channel_bindings"];
    let data =
        [text(binding, "application_data_prefix").as_bytes(), &unhex(text(binding, "cert_sha256"))]
            .concat();
    let got = super::channel_binding(&data);
    assert_eq!(got.to_vec(), unhex(text(binding, "md5")));
}

/// Checks one recorded handshake: response, session keys, integrity code, signatures.
fn check(recorded: &Value) {
    let bytes = |name| unhex(text(recorded, name));
    let challenge = bytes("challenge");
    let state = AwaitAuthenticate {
        negotiate: bytes("negotiate"),
        server_challenge: challenge[24..32].try_into().unwrap(),
        challenge,
    };
    let message = bytes("authenticate");
    let exported = key(text(recorded, "exported_session_key"));
    match recorded["password"].as_str() {
        Some(password) => {
            let (parsed, got) =
                state.exported(&message, |_, _| Some(Secret::new(password.to_owned()))).unwrap();
            assert_eq!(got, exported);
            let wanted = (text(recorded, "user"), text(recorded, "domain"));
            assert_eq!((parsed.user_name.as_str(), parsed.domain_name.as_str()), wanted);
            assert_eq!(parsed.ntlm_response[..16], unhex(text(recorded, "ntproof")));
            // Our own writer makes the same response of the same chance, time and pairs.
            let temp = &parsed.ntlm_response[16..];
            let own = response::ntowfv2(wanted.0, wanted.1, &Secret::new(password.to_owned()));
            let pairs = avpair::parse(&temp[response::TEMP_HEAD..]).unwrap();
            let rendered = response::respond(
                &own,
                state.server_challenge,
                temp[16..24].try_into().unwrap(),
                FileTime(u64::from_le_bytes(temp[8..16].try_into().unwrap())),
                &avpair::render(&pairs),
            );
            assert!(parsed.ntlm_response.starts_with(&rendered.nt));
            assert_eq!(rendered.session_base_key, key(text(recorded, "session_base_key")));
        }
        None => {
            // Windows 11 against Server 2022: the key is published, the password is not.
            assert_eq!(payload(&message, 20).unwrap()[..16], bytes("nt_proof"));
        }
    }
    if recorded["mic_ok"] == Value::Bool(true) {
        let (mic, cleared) = authenticate::take_mic(&message).unwrap();
        assert_eq!(
            response::hmac_md5(&exported, &[&state.negotiate, &state.challenge, &cleared]),
            mic
        );
    }
    let keys = Keys::derive(&exported, Side::Client);
    assert_eq!(keys.outgoing.sign, key(text(recorded, "client_signing_key")));
    assert_eq!(keys.outgoing.seal, key(text(recorded, "client_sealing_key")));
    assert_eq!(keys.incoming.sign, key(text(recorded, "server_signing_key")));
    assert_eq!(keys.incoming.seal, key(text(recorded, "server_sealing_key")));
    if let Some(signed) = recorded["server_mech_list_mic"].as_str() {
        let list = bytes("mech_type_list_der");
        assert_eq!(Direction::new(keys.incoming).signature(0, &list).to_vec(), unhex(signed));
    }
}

#[test]
fn recorded_handshakes_of_windows_and_others_verify() {
    let Some(vectors) = vectors() else { return };
    let scenarios = vectors["scenarios"].as_array().unwrap();
    assert!(scenarios.len() >= 8, "{} scenarios", scenarios.len());
    for recorded in scenarios {
        check(recorded);
    }
}
