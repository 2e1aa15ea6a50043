//! Windows's own security packages (SSPI): Kerberos, NTLM and what chooses between them.
//!
//! A thin layer: every function here is one or two calls of the system, with owned values on the
//! outside. Functions that ask a domain controller block.
#![expect(unsafe_code, reason = "the system's functions are called with pointers")]

use std::ffi::c_void;
use std::fmt;
use std::io;
use std::ptr;
use std::sync::Arc;

use windows_sys::Win32::Foundation::SEC_E_OK;
use windows_sys::Win32::Foundation::SEC_I_CONTINUE_NEEDED;
use windows_sys::Win32::Security::Authentication::Identity as identity;
use windows_sys::Win32::Security::Authentication::Identity::SecBuffer;
use windows_sys::Win32::Security::Authentication::Identity::SecBufferDesc;
use windows_sys::Win32::Security::Credentials::SecHandle;
use windows_sys::Win32::System::Rpc::SEC_WINNT_AUTH_IDENTITY_UNICODE;
use windows_sys::Win32::System::Rpc::SEC_WINNT_AUTH_IDENTITY_W;
use zeroize::Zeroizing;

use crate::net::kerberos::mechanism::LibraryError;
use crate::net::kerberos::mechanism::Mechanism;

/// Mutual authentication, replay and order detection, sealing, signing.
const WANTED: u32 = identity::ISC_REQ_MUTUAL_AUTH
    | identity::ISC_REQ_REPLAY_DETECT
    | identity::ISC_REQ_SEQUENCE_DETECT
    | identity::ISC_REQ_CONFIDENTIALITY
    | identity::ISC_REQ_INTEGRITY;
/// Largest token, in bytes: what Windows lets `MaxTokenSize` be set to, and one.
const LARGEST_TOKEN: usize = 0x1_0000;
/// What sealing needs.
const SEALED: u32 = identity::ISC_RET_CONFIDENTIALITY | identity::ISC_RET_INTEGRITY;

/// The current user as Windows names people: `CORP\anna`.
pub(super) fn user_name() -> io::Result<String> {
    let mut name = vec![0_u16; 1024];
    let mut length = 1024;
    // SAFETY: the buffer has the length that is given, and what was written is read back from it.
    let found = unsafe {
        identity::GetUserNameExW(identity::NameSamCompatible, name.as_mut_ptr(), &raw mut length)
    };
    if !found {
        return Err(io::Error::last_os_error());
    }
    name.truncate(usize::try_from(length).unwrap_or_default());
    Ok(String::from_utf16_lossy(&name))
}

/// Who logs on with a password of his own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity<'a> {
    pub(super) user: &'a str,
    /// Empty where `user` is a `user@domain`.
    pub(super) domain: &'a str,
    pub(super) password: &'a str,
}

/// What proves who we are, to one package: the user's own logon, or a name and a password.
pub(super) struct Credential(SecHandle);

impl Credential {
    /// Of the current user, or of somebody else. The domain is not asked yet.
    pub(super) fn new(package: &str, who: Option<Identity<'_>>) -> Result<Self, LibraryError> {
        let package = terminated(package);
        let texts = who.map(|who| {
            let password = Zeroizing::new(terminated(who.password));
            (terminated(who.user), terminated(who.domain), password)
        });
        let given = texts.as_ref().map(|(user, domain, password)| SEC_WINNT_AUTH_IDENTITY_W {
            User: user.as_ptr().cast_mut(),
            UserLength: letters(user),
            Domain: domain.as_ptr().cast_mut(),
            DomainLength: letters(domain),
            Password: password.as_ptr().cast_mut(),
            PasswordLength: letters(password),
            Flags: SEC_WINNT_AUTH_IDENTITY_UNICODE,
        });
        let given = given.as_ref().map_or(ptr::null(), ptr::from_ref).cast::<c_void>();
        let mut handle = SecHandle::default();
        let mut expiry = 0;
        // SAFETY: every pointer is null or to a value that outlives the call; the system copies the
        // names and the password.
        let code = unsafe {
            identity::AcquireCredentialsHandleW(
                ptr::null(),
                package.as_ptr(),
                identity::SECPKG_CRED_OUTBOUND,
                ptr::null(),
                given,
                None,
                ptr::null(),
                &raw mut handle,
                &raw mut expiry,
            )
        };
        if code == SEC_E_OK { Ok(Self(handle)) } else { Err(failure(code)) }
    }
}

impl Drop for Credential {
    fn drop(&mut self) {
        // SAFETY: the handle is ours and is not used again.
        unsafe { identity::FreeCredentialsHandle(&raw const self.0) };
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential")
    }
}

/// One logon and what it leads to, as the initiator.
pub(super) struct Context {
    credential: Arc<Credential>,
    mechanism: Mechanism,
    /// `HTTP/fs01`, terminated.
    service: Vec<u16>,
    handle: Option<SecHandle>,
    pub(super) complete: bool,
}

impl Context {
    /// For the service `class/host`.
    pub(super) fn new(
        credential: Arc<Credential>,
        mechanism: Mechanism,
        class: &str,
        host: &str,
    ) -> Self {
        let service = terminated(&format!("{class}/{host}"));
        Self { credential, mechanism, service, handle: None, complete: false }
    }

    /// Takes the host's token and makes ours. `binding` is the channel binding's application data.
    pub(super) fn step(
        &mut self,
        token: &[u8],
        binding: Option<&[u8]>,
    ) -> Result<Vec<u8>, LibraryError> {
        let mut token = token.to_vec();
        let mut binding = binding.map(channel_bindings);
        let mut given = Vec::new();
        if !token.is_empty() {
            given.push(buffer(identity::SECBUFFER_TOKEN, &mut token));
        }
        if let Some(binding) = &mut binding {
            given.push(buffer(identity::SECBUFFER_CHANNEL_BINDINGS, binding));
        }
        let input = list(&mut given);
        let input = if input.cBuffers == 0 { ptr::null() } else { &raw const input };
        let mut answer = vec![0; LARGEST_TOKEN];
        let mut made = [buffer(identity::SECBUFFER_TOKEN, &mut answer)];
        let mut output = list(&mut made);
        let old = self.handle;
        let mut handle = old.unwrap_or_default();
        let (mut agreed, mut expiry) = (0, 0);
        // SAFETY: all pointers outlive the call; the context is absent or the system's own.
        let code = unsafe {
            identity::InitializeSecurityContextW(
                &raw const self.credential.0,
                old.as_ref().map_or(ptr::null(), ptr::from_ref),
                self.service.as_ptr(),
                WANTED,
                0,
                identity::SECURITY_NATIVE_DREP,
                input,
                0,
                &raw mut handle,
                &raw mut output,
                &raw mut agreed,
                &raw mut expiry,
            )
        };
        if code != SEC_E_OK && code != SEC_I_CONTINUE_NEEDED {
            return Err(failure(code));
        }
        self.handle = Some(handle);
        let needed = match self.mechanism {
            Mechanism::Spnego | Mechanism::Kerberos => SEALED | identity::ISC_RET_MUTUAL_AUTH,
            Mechanism::Negotiate | Mechanism::Ntlm => SEALED,
        };
        if code == SEC_E_OK {
            if agreed & needed != needed {
                return Err(LibraryError::ours(
                    "the host does not prove itself, or does not encrypt",
                ));
            }
            self.complete = true;
        }
        let [made] = &made;
        answer.truncate(usize::try_from(made.cbBuffer).unwrap_or_default());
        Ok(answer)
    }

    /// Seals in WinRM's layout: the token goes before the data ([MS-WSMV] 2.2.9.1.1).
    pub(super) fn wrap(&mut self, plain: &[u8]) -> Result<(Vec<u8>, Vec<u8>), LibraryError> {
        let handle = self.handle()?;
        let mut sizes = identity::SecPkgContext_Sizes::default();
        // SAFETY: the structure is the one that this attribute fills.
        let code = unsafe {
            identity::QueryContextAttributesW(
                &raw const handle,
                identity::SECPKG_ATTR_SIZES,
                (&raw mut sizes).cast(),
            )
        };
        if code != SEC_E_OK {
            return Err(failure(code));
        }
        let mut token = vec![0; usize::try_from(sizes.cbSecurityTrailer).unwrap_or_default()];
        let mut data = plain.to_vec();
        let mut buffers = [
            buffer(identity::SECBUFFER_TOKEN, &mut token),
            buffer(identity::SECBUFFER_DATA, &mut data),
        ];
        let message = list(&mut buffers);
        // SAFETY: both buffers have the lengths that are given; they are written where they stand.
        let code = unsafe { identity::EncryptMessage(&raw const handle, 0, &raw const message, 0) };
        if code != SEC_E_OK {
            return Err(failure(code));
        }
        let [signature, cipher] = &buffers;
        let (signature, cipher) = (signature.cbBuffer, cipher.cbBuffer);
        token.truncate(usize::try_from(signature).unwrap_or_default());
        data.truncate(usize::try_from(cipher).unwrap_or_default());
        if !plain.is_empty() && data == plain {
            return Err(LibraryError::ours("the message was signed, but not encrypted"));
        }
        Ok((token, data))
    }

    /// Unseals a message as Windows hosts write it: the token, then as much data as was sealed.
    pub(super) fn unwrap(
        &mut self,
        signature: &[u8],
        cipher: &[u8],
    ) -> Result<Vec<u8>, LibraryError> {
        let handle = self.handle()?;
        let (mut token, mut data) = (signature.to_vec(), cipher.to_vec());
        let mut buffers = [
            buffer(identity::SECBUFFER_TOKEN, &mut token),
            buffer(identity::SECBUFFER_DATA, &mut data),
        ];
        let message = list(&mut buffers);
        let mut quality = 0;
        // SAFETY: as above.
        let code = unsafe {
            identity::DecryptMessage(&raw const handle, &raw const message, 0, &raw mut quality)
        };
        if code != SEC_E_OK {
            return Err(failure(code));
        }
        if quality & identity::SECQOP_WRAP_NO_ENCRYPT == identity::SECQOP_WRAP_NO_ENCRYPT {
            return Err(LibraryError::ours("the message was signed, but not encrypted"));
        }
        // The plain text stands in the buffer, not necessarily from its beginning.
        let [_, plain] = &buffers;
        let start = plain.pvBuffer.addr().checked_sub(data.as_ptr().addr());
        let length = usize::try_from(plain.cbBuffer).unwrap_or(usize::MAX);
        let plain = start.and_then(|start| data.get(start..start.checked_add(length)?));
        plain.map(<[u8]>::to_vec).ok_or_else(|| LibraryError::ours("the message has no plain text"))
    }

    fn handle(&self) -> Result<SecHandle, LibraryError> {
        self.handle.ok_or_else(|| LibraryError::ours("the logon has not begun"))
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if let Some(handle) = self.handle {
            // SAFETY: the handle is ours and is not used again.
            unsafe { identity::DeleteSecurityContext(&raw const handle) };
        }
    }
}

/// A buffer for the system; an empty one has no place.
fn buffer<T>(kind: u32, items: &mut [T]) -> SecBuffer {
    let length = u32::try_from(size_of_val(items)).unwrap_or_default();
    let place = if items.is_empty() { ptr::null_mut() } else { items.as_mut_ptr().cast() };
    SecBuffer { cbBuffer: length, BufferType: kind, pvBuffer: place }
}

fn list(buffers: &mut [SecBuffer]) -> SecBufferDesc {
    SecBufferDesc {
        ulVersion: identity::SECBUFFER_VERSION,
        cBuffers: u32::try_from(buffers.len()).unwrap_or_default(),
        pBuffers: buffers.as_mut_ptr(),
    }
}

/// `SEC_CHANNEL_BINDINGS`: eight numbers without addresses, then the application data, which TLS
/// bindings are (RFC 5929).
fn channel_bindings(data: &[u8]) -> Vec<u8> {
    const HEADER: u32 = 32;
    let length = u32::try_from(data.len()).unwrap_or_default();
    let numbers = [0, 0, 0, 0, 0, 0, length, HEADER];
    let mut bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
    bytes.extend_from_slice(data);
    bytes
}

fn terminated(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// The length without the terminator.
fn letters(text: &[u16]) -> u32 {
    u32::try_from(text.len().saturating_sub(1)).unwrap_or_default()
}

/// The system's words for a code.
fn failure(code: i32) -> LibraryError {
    let words = io::Error::from_raw_os_error(code).to_string();
    let words = words.split(" (os error").next().unwrap_or_default().trim().trim_end_matches('.');
    // Without words of its own, the system says that it has none.
    let text = if words.contains("FormatMessageW") || words.is_empty() {
        format!("error 0x{code:08X}")
    } else {
        format!("{words} (0x{code:08X})")
    };
    LibraryError { code, text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::secret::Secret;
    use crate::wire::ntlm::FileTime;
    use crate::wire::ntlm::acceptor;

    #[test]
    fn a_binding_stands_behind_eight_numbers() {
        let bytes = channel_bindings(b"tls-server-end-point:x");
        assert_eq!(bytes.len(), 32 + 22);
        assert_eq!(bytes[24..32], [22, 0, 0, 0, 32, 0, 0, 0]);
        assert_eq!(&bytes[32..], b"tls-server-end-point:x");
    }

    /// The system's NTLM against our own acceptor: tokens, MIC, and both directions of sealing.
    #[test]
    fn ntlm_of_the_system_and_ours_understand_each_other() {
        let who = Identity { user: "anna", domain: "LAB", password: "Passw0rd!" };
        let credential = match Credential::new("NTLM", Some(who)) {
            Ok(credential) => Arc::new(credential),
            // Wine has no NTLM where Samba's ntlm_auth is not installed.
            Err(error) if error.code == windows_sys::Win32::Foundation::SEC_E_SECPKG_NOT_FOUND => {
                return;
            }
            Err(error) => panic!("{error:?}"),
        };
        let names = acceptor::Names {
            netbios_domain: "LAB".into(),
            netbios_computer: "FS01".into(),
            dns_domain: "lab.test".into(),
            dns_computer: "fs01.lab.test".into(),
        };
        let mut client = Context::new(credential, Mechanism::Ntlm, "HTTP", "fs01");
        let first = client.step(&[], None).unwrap();
        let (challenge, server) =
            acceptor::challenge(&first, &names, [7; 8], FileTime(133_000_000_000_000_000)).unwrap();
        let last = client.step(challenge.as_bytes(), None).unwrap();
        assert!(client.complete);
        let known = |_: &str, _: &str| Some(Secret::new("Passw0rd!".to_owned()));
        let accepted = server.verify(&last, known).unwrap();
        let mut host = crate::wire::session::Session::new(accepted.keys.unwrap());
        for text in [&b"<s:Envelope/>"[..], b"x", &[b'y'; 70_000]] {
            let (signature, cipher) = client.wrap(text).unwrap();
            let sealed = crate::wire::multipart::Sealed { signature: &signature, cipher: &cipher };
            let body = crate::wire::multipart::render(sealed, crate::wire::multipart::Indent::Tab);
            assert_eq!(host.unseal(&body).unwrap(), text);
            let body = host.seal(text).unwrap();
            let sealed = crate::wire::multipart::parse(&body).unwrap();
            assert_eq!(client.unwrap(sealed.signature, sealed.cipher).unwrap(), text);
        }
    }
}
