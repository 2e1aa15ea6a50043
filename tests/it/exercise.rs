//! Everything that our client does with a host, as one exercise with a count: reads, writes, methods,
//! a fault, a program, a cmdlet.

use std::time::Duration;

use rmsfleet::host::exchange;
use rmsfleet::host::link::Cmdlet;
use rmsfleet::host::link::Connect as _;
use rmsfleet::host::link::HostError;
use rmsfleet::host::link::Launch as _;
use rmsfleet::host::link::ProgramError;
use rmsfleet::host::link::ProgramResult;
use rmsfleet::host::link::Reader as _;
use rmsfleet::host::link::Shell as _;
use rmsfleet::host::link::Target;
use rmsfleet::host::link::Writer as _;
use rmsfleet::model::program::Program;
use rmsfleet::model::registry::KeyPath;
use rmsfleet::model::registry::Kind;
use rmsfleet::model::registry::Value;
use rmsfleet::model::registry::ValuePath;
use rmsfleet::net::connect::Network;
use rmsfleet::wire::operation::Answer;
use rmsfleet::wire::operation::CREATE_SUB_KEY;
use rmsfleet::wire::operation::Read;
use rmsfleet::wire::operation::SET_VALUE;
use rmsfleet::wire::operation::Write;

/// Where the steps write, and the parent that they remove too.
const PARENT: &str = r"SOFTWARE\rmsfleet exercise";
const KEY: &str = r"SOFTWARE\rmsfleet exercise\Sub Key";
/// A program of every server here: `tests/it/peer_server.rs`, `lab::cmd`.
pub(crate) const PROBE: &str = r"C:\rms\probe.exe";
/// Markup, blanks at both ends, characters outside of the first plane.
const TEXT: &str = " https://c.example/_wmcs/licensing?a=1&b=<2> \"q\" ü 中😀 ";

/// What the exercise found, step by step.
pub(crate) struct Sheet {
    case: String,
    pub(crate) passed: usize,
    pub(crate) failed: Vec<String>,
}

impl Sheet {
    pub(crate) fn new(case: &str) -> Self {
        Self { case: case.to_owned(), passed: 0, failed: Vec::new() }
    }

    /// Notes one step; its text says what came instead.
    pub(crate) fn note(&mut self, step: &str, result: Result<(), String>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(got) => self.failed.push(format!("{}: {step}: {got}", self.case)),
        }
    }

    pub(crate) fn equal<T: PartialEq + std::fmt::Debug>(
        &mut self,
        step: &str,
        got: Result<T, HostError>,
        expected: &T,
    ) {
        let result = match got {
            Ok(got) if got == *expected => Ok(()),
            Ok(got) => Err(format!("expected {expected:?}, got {got:?}")),
            Err(error) => Err(error.failure().text()),
        };
        self.note(step, result);
    }
}

/// The endpoints of one host: WS-Management, and PowerShell's where it is to be tried.
pub(crate) struct Place {
    pub(crate) wsman: Target,
    pub(crate) powershell: Option<Target>,
}

/// Runs all steps. The host must be an Exchange server if it has a PowerShell endpoint.
pub(crate) async fn exercise(network: &Network, place: &Place, sheet: &mut Sheet) {
    match network.connect(&place.wsman).await {
        Ok(mut link) => {
            reads(&mut link, sheet).await;
            registry(&mut link, sheet).await;
            fault(&mut link, sheet).await;
        }
        Err(error) => sheet.note("connect", Err(error.failure().text())),
    }
    program(network, &place.wsman, sheet).await;
    if let Some(target) = &place.powershell {
        cmdlets(network, target, sheet).await;
    }
}

type Link<'a> = &'a mut <Network as rmsfleet::host::link::Connect>::Link;

async fn reads(link: Link<'_>, sheet: &mut Sheet) {
    let identity = link.read(&Read::Identify).await;
    let is_identity = |answer| matches!(answer, Answer::Identity { .. });
    sheet.equal("Identify", identity.map(is_identity), &true);
    let settings = link.read(&Read::Settings).await.map(|answer| match answer {
        Answer::Settings(told) => told.get("MaxTimeoutms").cloned(),
        _ => None,
    });
    sheet.equal("Get of winrm/config", settings, &Some("60000".to_owned()));
    let one = |class, keys: &[(&'static str, &str)]| {
        let keys = keys.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        Read::Instance { class, keys }
    };
    let first = |answer| match answer {
        Answer::Instances(all) if all.len() == 1 => all.into_iter().next(),
        _ => None,
    };
    let service = link.read(&one("root/cimv2/Win32_Service", &[("Name", "WinRM")])).await;
    let state = |answer| first(answer)?.text("State").map(str::to_owned);
    sheet.equal("Get of a service", service.map(state), &Some("Running".to_owned()));
    let singleton = link.read(&one("root/cimv2/Win32_OperatingSystem", &[])).await;
    let has_boot = |answer| first(answer).is_some_and(|one| one.text("LastBootUpTime").is_some());
    sheet.equal("Get of a singleton", singleton.map(has_boot), &true);
    let none = link.read(&one("root/cimv2/Win32_Service", &[("Name", "Nobody")])).await;
    let refused = match none {
        Err(HostError::Fault(fault)) => Ok(fault.code),
        Err(error) => Err(error),
        Ok(_) => Ok(None),
    };
    sheet.equal("Get of nothing", refused, &Some(2_150_858_752));
    let query = |wql: &str| Read::Query { namespace: "root/cimv2".into(), wql: wql.into() };
    let os = link.read(&query("select * from Win32_OperatingSystem")).await;
    let has_boot = |answer| match answer {
        Answer::Instances(all) => all.iter().any(|one| one.text("LastBootUpTime").is_some()),
        _ => false,
    };
    sheet.equal("select *", os.map(has_boot), &true);
    let names = link.read(&query("select Name, State from Win32_Service")).await;
    let many = |answer| match answer {
        Answer::Instances(all) => all.len() > 3 && all.iter().all(|one| one.text("Name").is_some()),
        _ => false,
    };
    sheet.equal("select of properties, pulled", names.map(many), &true);
}

fn values() -> Vec<(&'static str, Value)> {
    vec![
        ("Text", Value::Sz(TEXT.to_owned())),
        ("Empty", Value::Sz(String::new())),
        ("Breaks", Value::Sz("a\r\nb\tc\rd\n".to_owned())),
        ("Expand", Value::ExpandSz("no variable".to_owned())),
        ("Zero", Value::Dword(0)),
        ("Max", Value::Dword(u32::MAX)),
        ("Big", Value::Qword(u64::MAX)),
        ("Bin", Value::Binary(vec![0, 1, 127, 128, 255])),
        ("Multi", Value::MultiSz(vec!["one".into(), "two words".into(), "dréi".into()])),
        ("Single", Value::MultiSz(vec!["only".into()])),
    ]
}

async fn registry(link: Link<'_>, sheet: &mut Sheet) {
    let (key, parent) = (KeyPath::new(KEY), KeyPath::new(PARENT));
    let done = Answer::Done { code: 0 };
    sheet.equal("CreateKey", link.write(&Write::CreateKey(key.clone())).await, &done);
    sheet.equal("CreateKey again", link.write(&Write::CreateKey(key.clone())).await, &done);

    names(link, sheet).await;

    let default = ValuePath::new(KEY, "");
    let text = Value::Sz("lone".to_owned());
    let write = Write::SetValue { path: default.clone(), value: text.clone() };
    sheet.equal("the default value is written", link.write(&write).await, &done);
    let listed = link.read(&Read::EnumValues(key.clone())).await;
    let unseen = Answer::Values { code: 0, values: Vec::new() };
    sheet.equal("a lone default value is not listed", listed, &unseen);
    let read = Read::Value { path: default, kind: Kind::Sz };
    let found = Answer::Value { code: 0, value: Some(text) };
    sheet.equal("and is read by its empty name", link.read(&read).await, &found);

    for (name, value) in values() {
        let path = ValuePath::new(KEY, name);
        let kind = value.kind();
        let write = Write::SetValue { path: path.clone(), value: value.clone() };
        sheet.equal(&format!("set {name}"), link.write(&write).await, &done);
        let read = link.read(&Read::Value { path, kind }).await;
        let expected = Answer::Value { code: 0, value: Some(value) };
        sheet.equal(&format!("get {name}"), read, &expected);
    }
    let types = link.read(&Read::EnumValues(key.clone())).await.map(|answer| match answer {
        Answer::Values { code: 0, mut values } => {
            values.retain(|(name, _)| !name.is_empty());
            values.sort();
            values
        }
        _ => Vec::new(),
    });
    let mut expected: Vec<(String, u32)> =
        values().iter().map(|(name, value)| ((*name).into(), value.kind().number())).collect();
    expected.sort();
    sheet.equal("EnumValues", types, &expected);
    let subkeys = Answer::Keys { code: 0, names: vec!["Sub Key".to_owned()] };
    sheet.equal("EnumKey", link.read(&Read::EnumKeys(parent.clone())).await, &subkeys);
    let required = SET_VALUE | CREATE_SUB_KEY;
    let access = link.read(&Read::CheckAccess { key: key.clone(), required }).await;
    sheet.equal("CheckAccess", access, &Answer::Access { code: 0, granted: Some(true) });

    let wrong = Read::Value { path: ValuePath::new(KEY, "Text"), kind: Kind::Dword };
    let mismatch = Answer::Value { code: 0x8004_1005, value: None };
    sheet.equal("another type", link.read(&wrong).await, &mismatch);
    let expand = ValuePath::new(KEY, "Expand");
    let value = Value::ExpandSz(r"%SystemRoot%\x".to_owned());
    let write = Write::SetValue { path: expand.clone(), value };
    sheet.equal("set with a variable", link.write(&write).await, &done);
    let back = link.read(&Read::Value { path: expand, kind: Kind::ExpandSz }).await;
    let expanded = |answer| match answer {
        Answer::Value { code: 0, value: Some(Value::ExpandSz(text)) } => !text.contains('%'),
        _ => false,
    };
    sheet.equal("REG_EXPAND_SZ comes back expanded", back.map(expanded), &true);
    let write = Write::SetValue { path: ValuePath::new(KEY, "TEXT"), value: Value::Dword(7) };
    sheet.equal("Set over another type", link.write(&write).await, &done);
    let read = Read::Value { path: ValuePath::new(KEY, "text"), kind: Kind::Dword };
    let found = Answer::Value { code: 0, value: Some(Value::Dword(7)) };
    sheet.equal("names know no case", link.read(&read).await, &found);

    let absent = Read::Value { path: ValuePath::new(KEY, "Nope"), kind: Kind::Sz };
    let code = |answer| match answer {
        Answer::Value { code, value: None } => code,
        _ => u32::MAX,
    };
    let code = link.read(&absent).await.map(code);
    sheet.equal("an absent value", code.map(|code| code == 1 || code == 2), &true);
    let none = Read::Value { path: ValuePath::new(r"SOFTWARE\None\Such", "x"), kind: Kind::Sz };
    let nothing = Answer::Value { code: 2, value: None };
    sheet.equal("an absent key", link.read(&none).await, &nothing);

    let gone = |name: &str| Write::DeleteValue(ValuePath::new(KEY, name));
    sheet.equal("DeleteValue", link.write(&gone("Text")).await, &done);
    let absent = Answer::Done { code: 2 };
    sheet.equal("DeleteValue of none", link.write(&gone("Text")).await, &absent);
    let delete = |key: &KeyPath| Write::DeleteKey(key.clone());
    let refused = Answer::Done { code: 5 };
    sheet.equal("DeleteKey with a subkey", link.write(&delete(&parent)).await, &refused);
    sheet.equal("DeleteKey", link.write(&delete(&key)).await, &done);
    sheet.equal("DeleteKey of the parent", link.write(&delete(&parent)).await, &done);
}

/// A name may hold anything but a backslash: patterns and paths mean nothing in it.
async fn names(link: Link<'_>, sheet: &mut Sheet) {
    const NAME: &str = "https://rms.example/_wmcs/*?a=1&b=\"2\"";
    let done = Answer::Done { code: 0 };
    let odd = KeyPath::new(format!(r"{KEY}\{NAME}"));
    sheet.equal(
        "CreateKey with an odd name",
        link.write(&Write::CreateKey(odd.clone())).await,
        &done,
    );
    let listed = link.read(&Read::EnumKeys(KeyPath::new(KEY))).await;
    let only = Answer::Keys { code: 0, names: vec![NAME.to_owned()] };
    sheet.equal("EnumKey of an odd name", listed, &only);
    let (path, value) = (ValuePath::new(odd.as_str(), NAME), Value::Sz("x".to_owned()));
    let write = Write::SetValue { path: path.clone(), value: value.clone() };
    sheet.equal("set an odd name", link.write(&write).await, &done);
    let listed = link.read(&Read::EnumValues(odd.clone())).await;
    let only = Answer::Values { code: 0, values: vec![(NAME.to_owned(), Kind::Sz.number())] };
    sheet.equal("EnumValues of an odd name", listed, &only);
    let read = link.read(&Read::Value { path, kind: Kind::Sz }).await;
    let found = Answer::Value { code: 0, value: Some(value) };
    sheet.equal("get an odd name", read, &found);
    sheet.equal("DeleteKey with an odd name", link.write(&Write::DeleteKey(odd)).await, &done);
}

/// A fault is read, and the connection goes on.
async fn fault(link: Link<'_>, sheet: &mut Sheet) {
    let wql = "select * from Win32_Bogus".to_owned();
    let bogus = Read::Query { namespace: "root/cimv2".to_owned(), wql };
    let code = match link.read(&bogus).await {
        Err(HostError::Fault(fault)) => Ok(fault.code),
        Err(error) => Err(error),
        Ok(_) => Ok(None),
    };
    sheet.equal("a fault", code, &Some(2_150_858_778));
    let after = link.read(&Read::EnumKeys(KeyPath::new("SOFTWARE"))).await;
    let fine = |answer| matches!(answer, Answer::Keys { code: 0, .. });
    sheet.equal("after a fault", after.map(fine), &true);
}

async fn program(network: &Network, target: &Target, sheet: &mut Sheet) {
    let argv = [PROBE, "exit", "7", "grüße & (co) ^ | > <"].map(str::to_owned);
    let run = async |argv: &[String], input: &str, seconds| {
        let program = Program::new(argv).unwrap();
        let mut link = network.connect(target).await.map_err(ProgramError::NotStarted)?;
        link.launch(&program, input, Duration::from_secs(seconds)).await
    };
    let told = |result: Result<ProgramResult, ProgramError>| match result {
        Ok(result) => format!("{:?} {}", result.exit_code, result.stdout.trim()),
        Err(error) => error.text(),
    };
    let mut like = |step: &str, got: String, expected: &str| {
        let result = if got == expected { Ok(()) } else { Err(format!("{got}, not {expected}")) };
        sheet.note(step, result);
    };
    let exit = told(run(&argv, "", 60).await);
    like("a program", exit, "Some(7) grüße & (co) ^ | > <");
    let input = format!("{{\"text\": \"{}ü\"}}", "x".repeat(200_000));
    let answer = told(run(&argv[..1], &input, 60).await);
    let expected = format!("Some(0) {{\"green\": true, \"seen\": \"{} bytes\"}}", input.len());
    like("a program's input", answer, &expected);
    let wait = [PROBE, "wait"].map(str::to_owned);
    let overdue = told(run(&wait, "", 1).await);
    like(
        "a program without end",
        overdue,
        "the program did not end within 1 s and was told to end",
    );
}

async fn cmdlets(network: &Network, target: &Target, sheet: &mut Sheet) {
    let mut shell = match network.shell(target, exchange::CONFIGURATION).await {
        Ok(shell) => shell,
        Err(error) => return sheet.note("a runspace pool", Err(error.failure().text())),
    };
    let read = exchange::configuration(&mut shell).await;
    sheet.equal("Get-IRMConfiguration", read.map(|(dn, _)| dn.contains("Contoso")), &true);
    let nothing = Cmdlet { name: "Get-Nothing", parameters: Vec::new() };
    let refused = match shell.run(&nothing).await {
        Err(HostError::Cmdlet { message, .. }) => Ok(message.contains("CommandNotFound")),
        Err(error) => Err(error),
        Ok(_) => Ok(false),
    };
    sheet.equal("an unknown cmdlet", refused, &true);
    shell.close().await;
}
