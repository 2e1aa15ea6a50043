//! Turns the names of credentials into accounts, before anything is contacted.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::manifest::credentials::Credentials;
use crate::manifest::credentials::Provider;
use crate::model::secret::Account;
use crate::model::secret::Secret;
use crate::net::accounts::Accounts;
use crate::net::accounts::Login;
use crate::net::kerberos;

/// How long a `command` provider may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which account a host asks for: the credential's name, and `ansible_user`.
pub type Wanted = (String, Option<String>);

/// Where secrets come from.
pub struct Sources<'a> {
    /// `None`: there is no credentials file, so passwords are asked for.
    pub file: Option<(&'a Path, &'a Credentials)>,
    /// Whether a person may be asked.
    pub may_ask: bool,
    /// Reads an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// Asks a person; the argument is the prompt.
    pub ask: &'a dyn Fn(&str) -> std::io::Result<String>,
}

/// Every account that is wanted, each resolved once, or the first reason why not.
pub async fn resolve(wanted: &BTreeSet<Wanted>, sources: &Sources<'_>) -> Result<Accounts, Stop> {
    let mut accounts = Accounts::default();
    let mut known: BTreeMap<String, Login> = BTreeMap::new();
    for (name, user) in wanted {
        // Without a file it is the ticket of whoever sits here, unless the inventory names a user.
        let default = match user {
            None => Provider::CurrentUser,
            Some(_) => Provider::Prompt { username: None },
        };
        let provider = match sources.file {
            None => &default,
            Some((path, file)) => file.provider(name).ok_or_else(|| {
                Stop::new(
                    Exit::Data,
                    format!("credential `{name}` is not in `{}`", path.display()),
                )
                .hint(format!("add it, or name another with rms_credential; `{name}` is asked for by at least one host"))
            })?,
        };
        let login = login(name, provider, user.as_deref(), sources, &mut known).await?;
        accounts.insert(name.clone(), user.clone(), login);
    }
    Ok(accounts)
}

/// The login of a credential, asked for once.
async fn login(
    name: &str,
    provider: &Provider,
    user: Option<&str>,
    sources: &Sources<'_>,
    known: &mut BTreeMap<String, Login>,
) -> Result<Login, Stop> {
    let user = match provider {
        Provider::CurrentUser => None,
        Provider::Prompt { .. }
        | Provider::Env { .. }
        | Provider::File { .. }
        | Provider::Keytab { .. }
        | Provider::Command { .. } => Some(user_name(name, provider, user)?),
    };
    let key = format!("{name}\n{}", user.as_deref().unwrap_or_default().to_lowercase());
    if let Some(login) = known.get(&key) {
        return Ok(login.clone());
    }
    let login = match (user, provider) {
        (None, _) => Login::ticket(ticket(name).await?),
        (Some(user), Provider::Keytab { path, .. }) => {
            let path = beside(sources, path);
            keytab(name, &path)?;
            Login::keytab(user, path)
        }
        (Some(user), _) => {
            let password = secret(name, provider, &user, sources).await?;
            Login::from(Account { user, password })
        }
    };
    Ok(known.entry(key).or_insert(login).clone())
}

/// The principal of the current user's Kerberos ticket.
async fn ticket(name: &str) -> Result<String, Stop> {
    kerberos::whoami().await.map_err(|why| {
        Stop::new(
            Exit::Data,
            format!("credential `{name}` is the current user's ticket, but {why}"),
        )
        .hint(
            "type `kinit USER@REALM`, or name a user: ansible_user in the inventory, or a \
                 credentials.yml",
        )
    })
}

/// Who logs on: the credential's own name, else `ansible_user`.
fn user_name(name: &str, provider: &Provider, user: Option<&str>) -> Result<String, Stop> {
    let own = match provider {
        Provider::CurrentUser => None,
        Provider::Prompt { username } => username.as_deref(),
        Provider::Env { username, .. }
        | Provider::File { username, .. }
        | Provider::Keytab { username, .. }
        | Provider::Command { username, .. } => Some(username.as_str()),
    };
    own.or(user).map(str::to_owned).ok_or_else(|| {
        Stop::new(Exit::Data, format!("nobody says which user credential `{name}` logs on as"))
            .hint("set ansible_user in the inventory, or write a credentials.yml with username")
    })
}

async fn secret(
    name: &str,
    provider: &Provider,
    user: &str,
    sources: &Sources<'_>,
) -> Result<Secret, Stop> {
    let text = match provider {
        // Their tickets are taken instead; there is no password to be had.
        Provider::CurrentUser | Provider::Keytab { .. } => String::new(),
        Provider::Prompt { .. } => ask(name, user, sources)?,
        Provider::Env { variable, .. } => (sources.variable)(variable).ok_or_else(|| {
            Stop::new(Exit::Data, format!("credential `{name}`: variable {variable} is not set"))
                .hint(format!("set {variable} to the password of {user}"))
        })?,
        Provider::File { path, .. } => file(name, &beside(sources, path))?,
        Provider::Command { argv, .. } => command(name, argv, sources).await?,
    };
    if text.is_empty() {
        return Err(Stop::new(Exit::Data, format!("credential `{name}`: the password is empty"))
            .hint("an empty password would only cost a refused logon"));
    }
    Ok(Secret::new(text))
}

fn ask(name: &str, user: &str, sources: &Sources<'_>) -> Result<String, Stop> {
    if !sources.may_ask {
        return Err(Stop::new(
            Exit::Data,
            format!("the password of {user} would have to be asked for, and nobody can be asked"),
        )
        .hint(format!(
            "leave --no-input out and use a terminal, or give credential `{name}` another provider"
        )));
    }
    (sources.ask)(&format!("Password of {user}: ")).map_err(|error| {
        Stop::because(Exit::Data, &error).while_doing("the password could not be read")
    })
}

/// Paths in the credentials file are meant from where that file stands.
fn beside(sources: &Sources<'_>, path: &str) -> PathBuf {
    let folder = sources.file.and_then(|(file, _)| file.parent());
    folder.unwrap_or_else(|| Path::new("")).join(path)
}

/// The first line of a file that nobody else can read.
fn file(name: &str, path: &Path) -> Result<String, Stop> {
    private(name, path)?;
    let text = fs::read_to_string(path).map_err(|error| unreadable(name, path, &error))?;
    Ok(first_line(&text))
}

/// A keytab of a version that the library knows, which nobody else can read; before anything is
/// contacted.
fn keytab(name: &str, path: &Path) -> Result<(), Stop> {
    if cfg!(windows) {
        return Err(Stop::new(
            Exit::Data,
            format!("credential `{name}`: Windows takes no keytab for a logon"),
        )
        .hint("use `current-user` under the account itself, or a provider with its password"));
    }
    private(name, path)?;
    let mut head = [0; 2];
    fs::File::open(path)
        .and_then(|mut file| file.read_exact(&mut head))
        .map_err(|error| unreadable(name, path, &error))?;
    if head[0] != 5 {
        return Err(Stop::new(
            Exit::Data,
            format!("credential `{name}`: `{}` is no keytab", path.display()),
        )
        .hint("`klist -k FILE` shows what a keytab holds; ktpass or ktutil makes one"));
    }
    Ok(())
}

fn unreadable(name: &str, path: &Path, error: &std::io::Error) -> Stop {
    Stop::because(Exit::Data, error)
        .while_doing(format!("credential `{name}`: `{}` cannot be read", path.display()))
}

/// Refuses a file that others can read.
fn private(name: &str, path: &Path) -> Result<(), Stop> {
    let about = fs::metadata(path).map_err(|error| unreadable(name, path, &error))?;
    match readable_by_others(&about) {
        None => Ok(()),
        Some(mode) => Err(Stop::new(
            Exit::Data,
            format!(
                "credential `{name}`: `{}` can be read by others (mode {mode:04o})",
                path.display()
            ),
        )
        .hint(format!("chmod 600 {}", path.display()))),
    }
}

#[cfg(unix)]
fn readable_by_others(about: &fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let mode = about.permissions().mode() & 0o7777;
    (mode & 0o077 != 0).then_some(mode)
}

/// Windows has no mode; the folder's access list is the administrator's to set.
#[cfg(not(unix))]
fn readable_by_others(_: &fs::Metadata) -> Option<u32> {
    None
}

/// The first line that a command prints. Its output is shown nowhere, in no case.
async fn command(name: &str, argv: &[String], sources: &Sources<'_>) -> Result<String, Stop> {
    let (program, arguments) = argv.split_first().ok_or_else(|| {
        Stop::new(Exit::Data, format!("credential `{name}`: argv names no program"))
    })?;
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    if let Some(folder) = sources.file.and_then(|(file, _)| file.parent())
        && !folder.as_os_str().is_empty()
    {
        command.current_dir(folder);
    }
    let fail = |why: String| {
        Stop::new(Exit::Data, format!("credential `{name}`: `{program}` {why}"))
            .hint("run the command by hand; its output is never shown here")
    };
    let output = tokio::time::timeout(PATIENCE, command.output())
        .await
        .map_err(|_| fail(format!("gave nothing within {} seconds", PATIENCE.as_secs())))?
        .map_err(|error| fail(format!("could not be started: {error}")))?;
    if !output.status.success() {
        return Err(fail(format!("ended with {}", output.status)));
    }
    let text = String::from_utf8(output.stdout)
        .map_err(|_| fail("printed something that is not UTF-8".to_owned()))?;
    Ok(first_line(&text))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::link::Target;
    use crate::model::host::Endpoint;
    use crate::model::host::HostName;
    use crate::model::host::Scheme;
    use crate::model::host::Spn;
    use crate::model::host::Transport;
    use crate::model::tls::TlsTrust;
    use crate::net::accounts::Who;

    fn target(credential: &str, user: Option<&str>) -> Target {
        Target {
            host: HostName::new("FS01"),
            endpoint: Endpoint {
                scheme: Scheme::Http,
                address: "FS01".into(),
                port: 5985,
                path: "/wsman".into(),
                transport: Transport::Ntlm,
                tls: TlsTrust::default(),
                spn: Spn::default(),
                client: None,
            },
            credential: credential.into(),
            user: user.map(str::to_owned),
            connect_timeout: PATIENCE,
            operation_timeout: PATIENCE,
        }
    }

    /// The account `default` resolves to, as `user:password`, or the error.
    async fn resolved(provider: Option<Provider>, may_ask: bool) -> Result<String, String> {
        let file = provider
            .map(|provider| Credentials { credentials: [("default".to_owned(), provider)].into() });
        let sources = Sources {
            file: file.as_ref().map(|file| (Path::new("credentials.yml"), file)),
            may_ask,
            variable: &|name| (name == "SECRET").then(|| "from-env".to_owned()),
            ask: &|prompt| Ok(format!("answer to {prompt}")),
        };
        let wanted = [("default".to_owned(), Some("CORP\\anna".to_owned()))].into();
        let accounts = resolve(&wanted, &sources).await.map_err(|stop| stop.to_string())?;
        let login = accounts.find(&target("default", Some("CORP\\anna"))).unwrap();
        match login.who() {
            Who::Password(account) => Ok(format!("{}:{}", account.user, account.password.expose())),
            Who::Ticket { principal } => Ok(format!("ticket of {principal}")),
            Who::Certificate { name } => Ok(name.clone()),
            Who::Keytab { user, path } => Ok(format!("keys of {user} in {}", path.display())),
        }
    }

    #[track_caller]
    fn check(provider: Option<Provider>, may_ask: bool, expected: Result<&str, &str>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let got = runtime.block_on(resolved(provider, may_ask));
        match (&got, expected) {
            (Ok(got), Ok(expected)) => assert_eq!(got, expected),
            (Err(got), Err(expected)) => assert!(got.contains(expected), "{got}"),
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => panic!("{got:?} is not {expected:?}"),
        }
    }

    #[cfg(unix)]
    fn command(argv: &[&str]) -> Provider {
        let argv = argv.iter().map(|word| (*word).to_owned()).collect();
        Provider::Command { username: "svc".into(), argv }
    }

    #[test]
    fn without_a_file_the_user_of_the_inventory_is_asked() {
        check(None, true, Ok("CORP\\anna:answer to Password of CORP\\anna: "));
        check(None, false, Err("nobody can be asked"));
    }

    #[test]
    fn a_variable_gives_the_password() {
        let env = |variable: &str| {
            Some(Provider::Env { username: "svc".into(), variable: variable.into() })
        };
        check(env("SECRET"), false, Ok("svc:from-env"));
        check(env("OTHER"), false, Err("variable OTHER is not set"));
    }

    #[cfg(unix)]
    #[test]
    fn a_command_gives_its_first_line_and_nothing_else() {
        check(Some(command(&["printf", "pass\\nnoise"])), false, Ok("svc:pass"));
        check(Some(command(&["false"])), false, Err("ended with"));
        check(Some(command(&["true"])), false, Err("is empty"));
        check(Some(command(&["no-such-program-here"])), false, Err("could not be started"));
    }

    #[cfg(unix)]
    #[test]
    fn a_keytab_is_a_private_file_that_is_one() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rms.keytab");
        let provider = || {
            let path = path.display().to_string();
            Some(Provider::Keytab { username: "svc@CORP".into(), path })
        };
        let write = |bytes: &[u8], mode| {
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        check(provider(), false, Err("cannot be read"));
        write(&[5, 2], 0o644);
        check(provider(), false, Err("mode 0644"));
        write(b"password", 0o600);
        check(provider(), false, Err("is no keytab"));
        write(&[5, 2], 0o400);
        let words = format!("keys of svc@CORP in {}", path.display());
        check(provider(), false, Ok(&words));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, "pass\n").unwrap();
        let provider = || {
            let path = path.display().to_string();
            Some(Provider::File { username: "svc".into(), path })
        };
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        check(provider(), false, Err("mode 0640"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        check(provider(), false, Ok("svc:pass"));
    }
}
