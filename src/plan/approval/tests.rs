use proptest::prelude::*;
use ssh_key::LineEnding;
use ssh_key::PrivateKey;
use ssh_key::private::Ed25519Keypair;
use ssh_key::private::KeypairData;

use super::*;

fn key(seed: u8) -> PrivateKey {
    PrivateKey::new(KeypairData::from(Ed25519Keypair::from_seed(&[seed; 32])), "").unwrap()
}

fn public(seed: u8) -> String {
    key(seed).public_key().to_openssh().unwrap()
}

fn signed(seed: u8, namespace: &str, bytes: &[u8]) -> Vec<u8> {
    let signature = key(seed).sign(namespace, HashAlg::Sha512, bytes).unwrap();
    signature.to_pem(LineEnding::LF).unwrap().into_bytes()
}

/// Anna has key 1, Ben 2 and also 3; 4 expired, 5 is for other things.
fn signers() -> Signers {
    let text = format!(
        "# people\nanna@contoso.com {}\nben@contoso.com,ben {}\nben@contoso.com \
         namespaces=\"git,rmsfleet-plan\" {} comment\nold@contoso.com valid-before=\"20200101\" \
         {}\ngit@contoso.com namespaces=\"git\" {}\n",
        public(1),
        public(2),
        public(3),
        public(4),
        public(5)
    );
    Signers::parse(&text).unwrap()
}

fn now() -> Timestamp {
    "2026-11-26T22:00:00Z".parse().unwrap()
}

fn policy(required: u32, author: &str) -> Approvals {
    Approvals {
        required,
        distinct_from_author: true,
        allowed_signers: String::new(),
        signers: String::new(),
        author: author.to_owned(),
    }
}

#[test]
fn a_signature_under_the_plan_names_its_signer() {
    let approval = signers().check(&signed(1, NAMESPACE, b"plan"), b"plan", now()).unwrap();
    assert_eq!(approval.by, "anna@contoso.com");
    assert!(approval.key.starts_with("SHA256:"));
    assert_eq!(signers().people(), 4);
}

#[track_caller]
fn check_refused(signature: &[u8], expected: &str) {
    let error = signers().check(signature, b"plan", now()).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn what_is_no_signature_of_an_allowed_person_under_this_plan_is_refused_in_words() {
    check_refused(&signed(1, NAMESPACE, b"other plan"), "not anna@contoso.com's signature under");
    check_refused(&signed(1, "git", b"plan"), "made for `git`");
    check_refused(&signed(9, NAMESPACE, b"plan"), "not among the allowed signers");
    check_refused(&signed(4, NAMESPACE, b"plan"), "counted until 2020-01-01");
    check_refused(&signed(5, NAMESPACE, b"plan"), "for git only");
    check_refused(b"-----BEGIN SSH SIGNATURE-----\nAAAA\n", "no SSH signature");
    check_refused(&vec![b'A'; LARGEST_SIGNATURE + 1], "no SSH signature");
}

#[test]
fn one_person_counts_once_and_the_author_not_at_all() {
    let approve = |seeds: &[u8]| -> Vec<Approval> {
        let check = |seed| signers().check(&signed(seed, NAMESPACE, b"p"), b"p", now()).unwrap();
        seeds.iter().map(|seed| check(*seed)).collect()
    };
    let counted = |policy: &Approvals, seeds: &[u8]| {
        enough(policy, &approve(seeds)).map(|counted| counted.len()).map_err(|why| why.to_string())
    };
    let two = policy(2, r"CORP\carl");
    assert_eq!(counted(&two, &[1, 2]), Ok(2));
    assert!(counted(&two, &[2, 3]).unwrap_err().starts_with("1 of 2 approvals"));
    let own = policy(2, r"CORP\Anna");
    assert!(counted(&own, &[1, 2]).unwrap_err().contains("anna@contoso.com made the plan"));
    assert_eq!(counted(&Approvals { distinct_from_author: false, ..own }, &[1, 2]), Ok(2));
    assert!(counted(&policy(1, "unknown"), &[1, 2]).unwrap_err().contains("who made it"));
}

#[test]
fn a_bad_line_of_the_signers_is_told_by_its_number() {
    let check = |text: &str, expected: &str| {
        let error = Signers::parse(&format!("\n{text}")).unwrap_err();
        assert!(error.line == 2 && error.text.contains(expected), "{error}");
    };
    check("*@contoso.com ssh-ed25519 AAAA", "one person");
    check("anna ssh-ed25519", "base64");
    check("anna ssh-ed25519 AAAA", "cannot be read");
    check("anna cert-authority ssh-ed25519 AAAA", "no option");
    check("anna namespaces=\"x ssh-ed25519 AAAA", "quote");
    check("anna valid-after=\"soon\" ssh-ed25519 AAAA", "YYYYMMDD");
    let twice = format!("anna {}\nben {}", public(1), public(1));
    let error = Signers::parse(&twice).unwrap_err();
    assert!(error.line == 2 && error.text.contains("same key"), "{error}");
}

proptest! {
    #[test]
    fn hostile_bytes_are_never_an_approval(bytes: Vec<u8>, place: prop::sample::Index, mask in 1u8..) {
        prop_assert!(signers().check(&bytes, b"plan", now()).is_err());
        let _ = Signers::parse(&String::from_utf8_lossy(&bytes));
        let whole = signed(1, NAMESPACE, b"plan");
        let mut spoiled = whole.clone();
        let place = place.index(spoiled.len());
        spoiled[place] ^= mask;
        if let Ok(approval) = signers().check(&spoiled, b"plan", now()) {
            // White space around the text, or the case of nothing that is signed.
            prop_assert_eq!(approval.by, "anna@contoso.com");
        }
    }
}
