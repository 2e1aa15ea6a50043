//! The system's GSSAPI (RFC 2744), loaded when Kerberos is first asked for.
//!
//! A thin layer: every function here is one or two calls of the library, with owned values on the
//! outside. Functions that ask a key distribution centre block.
#![expect(unsafe_code, reason = "a C library is called, and its types must cross threads")]

use std::ffi::CStr;
use std::ffi::c_int;
use std::fmt;
use std::mem;
use std::ptr;
use std::slice;
use std::sync::Arc;
use std::sync::OnceLock;

use libloading::Library;

use crate::net::gss::abi::Api;
use crate::net::gss::abi::Bindings;
use crate::net::gss::abi::Buffer;
use crate::net::gss::abi::Element;
use crate::net::gss::abi::Handle;
use crate::net::gss::abi::Iov;
use crate::net::gss::abi::OidSet;
use crate::net::gss::abi::Store;
use crate::net::gss::abi::Symbols;
use crate::net::gss::abi::borrowed;
use crate::net::gss::abi::oid;
use crate::net::gss::abi::oid_of;
use crate::net::kerberos::mechanism::LibraryError;
use crate::net::kerberos::mechanism::Mechanism;

mod abi;

/// The library, once it is known to be there.
#[derive(Clone, Copy)]
pub(super) struct Gss(&'static Api);

impl Symbols for Library {
    type Error = libloading::Error;

    fn symbol<T: Copy>(&self, name: &[u8]) -> Result<T, libloading::Error> {
        // SAFETY: `abi` gives each function the type that RFC 2744 or the library's header has.
        unsafe { self.get(name).map(|symbol| *symbol) }
    }
}

impl Gss {
    /// Loads the library, once per process; the error names what was looked for.
    pub(super) fn load() -> Result<Self, &'static str> {
        static LOADED: OnceLock<Result<Api, String>> = OnceLock::new();
        let loaded = LOADED.get_or_init(|| {
            let mut seen = Vec::new();
            for name in abi::NAMES {
                // SAFETY: the system's own library; its initialisers touch nothing of ours.
                let library = unsafe { Library::new(name) };
                match library.and_then(|library| Ok((Api::of(&library)?, library))) {
                    Ok((api, library)) => {
                        // The functions are good for as long as the library stays loaded.
                        mem::forget(library);
                        return Ok(api);
                    }
                    Err(error) => seen.push(format!("{name} ({error})")),
                }
            }
            Err(seen.join(", "))
        });
        loaded.as_ref().map(Self).map_err(String::as_str)
    }

    fn name(self, text: &str, kind: &'static [u8]) -> Result<Name, LibraryError> {
        let mut name = Name { gss: self, handle: ptr::null_mut() };
        let (text, kind) = (borrowed(text.as_bytes()), oid(kind));
        // SAFETY: all pointers are valid for the call; the library copies what it keeps.
        self.call(abi::KRB5, |minor| unsafe {
            (self.0.import_name)(minor, &raw const text, &raw const kind, &raw mut name.handle)
        })?;
        Ok(name)
    }

    /// Makes a call and turns a failure into words. Supplementary bits are handed back.
    fn call(
        self,
        mechanism: &'static [u8],
        call: impl FnOnce(*mut u32) -> u32,
    ) -> Result<u32, LibraryError> {
        let mut minor = 0;
        let major = call(&raw mut minor);
        if major & 0xffff_0000 == 0 {
            return Ok(major);
        }
        let specific = self.words(minor, 2, mechanism);
        let general = self.words(major, 1, mechanism);
        let text = if minor == 0 || specific.is_empty() { general } else { specific };
        Err(LibraryError { code: minor.cast_signed(), text })
    }

    /// The library's words for a code; `kind` is 1 for the major and 2 for the minor one.
    fn words(self, code: u32, kind: c_int, mechanism: &'static [u8]) -> String {
        let (mut minor, mut more) = (0, 0);
        let mut text = Owned::empty(self);
        let mechanism = oid(mechanism);
        // SAFETY: out-pointers to locals; one message is taken, so `more` needs no loop.
        let major = unsafe {
            (self.0.display_status)(
                &raw mut minor,
                code,
                kind,
                &raw const mechanism,
                &raw mut more,
                &raw mut text.buffer,
            )
        };
        if major != 0 {
            return String::new();
        }
        String::from_utf8_lossy(text.bytes()).trim_end_matches('.').to_owned()
    }
}

struct Name {
    gss: Gss,
    handle: Handle,
}

impl Drop for Name {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: the handle is ours and is not used again.
        unsafe { (self.gss.0.release_name)(&raw mut minor, &raw mut self.handle) };
    }
}

/// A buffer that the library allocated.
struct Owned {
    gss: Gss,
    buffer: Buffer,
}

impl Owned {
    fn empty(gss: Gss) -> Self {
        Self { gss, buffer: Buffer { length: 0, value: ptr::null_mut() } }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the library wrote this buffer, and it lives as long as `self`.
        unsafe { view(self.buffer) }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: allocated by the library, or empty.
        unsafe { (self.gss.0.release_buffer)(&raw mut minor, &raw mut self.buffer) };
    }
}

/// Where tickets are kept.
#[derive(Debug, Clone, Copy)]
pub(super) enum Keeper<'a> {
    /// What [`Credential::keep`] left in a cache.
    Cache(&'a CStr),
    /// The keys of a principal, by which tickets are got into the cache when they are wanted.
    Keytab { keytab: &'a CStr, cache: &'a CStr },
}

/// What proves who we are: tickets, or a password that tickets are got with.
pub(super) struct Credential {
    gss: Gss,
    handle: Handle,
    mechanism: Mechanism,
}

// SAFETY: MIT's credentials are locked inside and belong to no thread.
unsafe impl Send for Credential {}
// SAFETY: as above.
unsafe impl Sync for Credential {}

impl Credential {
    /// The ticket cache of the user, or the client keytab that the environment names.
    pub(super) fn of_user(gss: Gss, mechanism: Mechanism) -> Result<Self, LibraryError> {
        Self::acquire(gss, mechanism, |minor, mechanisms, handle| {
            // SAFETY: out-pointers to locals, absent ones where the call allows it.
            unsafe {
                (gss.0.acquire_cred)(
                    minor,
                    ptr::null_mut(),
                    abi::INDEFINITE,
                    mechanisms,
                    abi::INITIATE,
                    handle,
                    ptr::null_mut(),
                    ptr::null_mut(),
                )
            }
        })
    }

    /// A password; the key distribution centre may be asked now or at the first step.
    pub(super) fn of_password(gss: Gss, user: &str, password: &str) -> Result<Self, LibraryError> {
        let name = gss.name(user, abi::USER_NAME)?;
        let password = borrowed(password.as_bytes());
        Self::acquire(gss, Mechanism::Kerberos, |minor, mechanisms, handle| {
            // SAFETY: as above; the library copies the password.
            unsafe {
                (gss.0.acquire_cred_with_password)(
                    minor,
                    name.handle,
                    &raw const password,
                    abi::INDEFINITE,
                    mechanisms,
                    abi::INITIATE,
                    handle,
                    ptr::null_mut(),
                    ptr::null_mut(),
                )
            }
        })
    }

    /// What is kept for somebody; without a name, for whoever it was kept for.
    pub(super) fn kept(
        gss: Gss,
        mechanism: Mechanism,
        user: Option<&str>,
        keeper: Keeper<'_>,
    ) -> Result<Self, LibraryError> {
        let name = user.map(|user| gss.name(user, abi::USER_NAME)).transpose()?;
        // `name` lives to the end of the function.
        let handle_of_name = name.as_ref().map_or(ptr::null_mut(), |name| name.handle);
        let element =
            |key: &'static CStr, value: &CStr| Element { key: key.as_ptr(), value: value.as_ptr() };
        let elements = match keeper {
            Keeper::Cache(cache) => vec![element(c"ccache", cache)],
            Keeper::Keytab { keytab, cache } => {
                vec![element(c"client_keytab", keytab), element(c"ccache", cache)]
            }
        };
        let count = u32::try_from(elements.len()).unwrap_or_default();
        let store = Store { count, elements: elements.as_ptr() };
        Self::acquire(gss, mechanism, |minor, mechanisms, handle| {
            // SAFETY: as above; the store is only read.
            unsafe {
                (gss.0.acquire_cred_from)(
                    minor,
                    handle_of_name,
                    abi::INDEFINITE,
                    mechanisms,
                    abi::INITIATE,
                    &raw const store,
                    handle,
                    ptr::null_mut(),
                    ptr::null_mut(),
                )
            }
        })
    }

    /// Gets the tickets now, one question to the key distribution centre, into a cache.
    pub(super) fn keep(&self, cache: &CStr) -> Result<(), LibraryError> {
        let element = Element { key: c"ccache".as_ptr(), value: cache.as_ptr() };
        let store = Store { count: 1, elements: &raw const element };
        let mechanism = oid_of(self.mechanism);
        // SAFETY: all pointers outlive the call, absent ones where it allows that.
        self.gss.call(abi::KRB5, |minor| unsafe {
            (self.gss.0.store_cred_into)(
                minor,
                self.handle,
                abi::INITIATE,
                &raw const mechanism,
                1,
                0,
                &raw const store,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        })?;
        Ok(())
    }

    fn acquire(
        gss: Gss,
        mechanism: Mechanism,
        call: impl FnOnce(*mut u32, *const OidSet, *mut Handle) -> u32,
    ) -> Result<Self, LibraryError> {
        let mut credential = Self { gss, handle: ptr::null_mut(), mechanism };
        let wanted = oid_of(mechanism);
        let set = OidSet { count: 1, elements: &raw const wanted };
        gss.call(abi::KRB5, |minor| call(minor, &raw const set, &raw mut credential.handle))?;
        if mechanism == Mechanism::Spnego {
            // Without this a package for NTLM that happens to be installed would be offered too.
            let kerberos = oid(abi::KRB5);
            let set = OidSet { count: 1, elements: &raw const kerberos };
            // SAFETY: the set is copied.
            gss.call(abi::KRB5, |minor| unsafe {
                (gss.0.set_neg_mechs)(minor, credential.handle, &raw const set)
            })?;
        }
        Ok(credential)
    }

    /// The principal's name and the seconds that its tickets are good for.
    pub(super) fn about(&self) -> Result<(String, u32), LibraryError> {
        let mut name = Name { gss: self.gss, handle: ptr::null_mut() };
        let (mut lifetime, mut text) = (0, Owned::empty(self.gss));
        // SAFETY: out-pointers to locals.
        self.gss.call(abi::KRB5, |minor| unsafe {
            (self.gss.0.inquire_cred)(
                minor,
                self.handle,
                &raw mut name.handle,
                &raw mut lifetime,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        })?;
        // SAFETY: the name was just given.
        self.gss.call(abi::KRB5, |minor| unsafe {
            (self.gss.0.display_name)(minor, name.handle, &raw mut text.buffer, ptr::null_mut())
        })?;
        Ok((String::from_utf8_lossy(text.bytes()).into_owned(), lifetime))
    }
}

impl Drop for Credential {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: the handle is ours and is not used again.
        unsafe { (self.gss.0.release_cred)(&raw mut minor, &raw mut self.handle) };
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({:?})", self.mechanism)
    }
}

/// One logon and what it leads to, as the initiator.
pub(super) struct Context {
    credential: Arc<Credential>,
    service: Name,
    handle: Handle,
    pub(super) complete: bool,
}

// SAFETY: MIT's contexts belong to no thread, and only `&mut self` methods use the handle.
unsafe impl Send for Context {}
// SAFETY: as above; a shared reference reaches no function of the library.
unsafe impl Sync for Context {}

impl Context {
    /// For the service `class/host`.
    pub(super) fn new(
        credential: Arc<Credential>,
        class: &str,
        host: &str,
    ) -> Result<Self, LibraryError> {
        let service = credential.gss.name(&format!("{class}@{host}"), abi::HOST_BASED)?;
        Ok(Self { credential, service, handle: ptr::null_mut(), complete: false })
    }

    /// Takes the host's token and makes ours. `binding` is the channel binding's application data.
    pub(super) fn step(
        &mut self,
        token: &[u8],
        binding: Option<&[u8]>,
    ) -> Result<Vec<u8>, LibraryError> {
        let gss = self.credential.gss;
        let bindings = binding.map(Bindings::of);
        let bindings = bindings.as_ref().map_or(ptr::null(), ptr::from_ref);
        let (mechanism, token) = (oid_of(self.credential.mechanism), borrowed(token));
        let (mut answer, mut flags) = (Owned::empty(gss), 0);
        // SAFETY: all pointers outlive the call; the context handle is null or the library's own.
        let major = gss.call(abi::KRB5, |minor| unsafe {
            (gss.0.init_sec_context)(
                minor,
                self.credential.handle,
                &raw mut self.handle,
                self.service.handle,
                &raw const mechanism,
                abi::FLAGS,
                0,
                bindings,
                &raw const token,
                ptr::null_mut(),
                &raw mut answer.buffer,
                &raw mut flags,
                ptr::null_mut(),
            )
        })?;
        self.complete = major & abi::CONTINUE_NEEDED == 0;
        if self.complete && flags & abi::NEEDED != abi::NEEDED {
            self.complete = false;
            return Err(LibraryError::ours("the host does not prove itself, or does not encrypt"));
        }
        Ok(answer.bytes().to_vec())
    }

    /// Seals in WinRM's layout: header and, where the cipher needs it, padding behind the data.
    pub(super) fn wrap(&mut self, plain: &[u8]) -> Result<(Vec<u8>, Vec<u8>), LibraryError> {
        let gss = self.credential.gss;
        let mut data = plain.to_vec();
        let none = Buffer { length: 0, value: ptr::null_mut() };
        let own = Buffer { length: data.len(), value: data.as_mut_ptr().cast() };
        let mut iov = [
            Iov { kind: abi::IOV_HEADER | abi::IOV_ALLOCATE, buffer: none },
            Iov { kind: abi::IOV_DATA, buffer: own },
            Iov { kind: abi::IOV_PADDING | abi::IOV_ALLOCATE, buffer: none },
        ];
        let (mut sealed, mut minor) = (0, 0);
        // SAFETY: three buffers are there; the data is encrypted where it stands.
        let result = gss.call(abi::KRB5, |minor| unsafe {
            (gss.0.wrap_iov)(minor, self.handle, 1, 0, &raw mut sealed, iov.as_mut_ptr(), 3)
        });
        let [header, _, padding] = &iov;
        // SAFETY: the library filled these, or left them empty.
        let (header, padding) =
            unsafe { (view(header.buffer).to_vec(), view(padding.buffer).to_vec()) };
        // SAFETY: frees the buffers that the library allocated.
        unsafe { (gss.0.release_iov)(&raw mut minor, iov.as_mut_ptr(), 3) };
        result?;
        if sealed == 0 {
            return Err(LibraryError::ours("the message was signed, but not encrypted"));
        }
        data.extend_from_slice(&padding);
        Ok((header, data))
    }

    /// Unseals one RFC 4121 or RFC 4757 token, however it is rotated. Signature and ciphertext are
    /// the whole of it, cut somewhere: after 60 bytes and rotated by 28 from Windows, after 60 and
    /// not rotated from OMI, after 76 where 16 more are filled in.
    pub(super) fn unwrap(
        &mut self,
        signature: &[u8],
        cipher: &[u8],
    ) -> Result<Vec<u8>, LibraryError> {
        let gss = self.credential.gss;
        let whole = [signature, cipher].concat();
        let token = borrowed(&whole);
        let (mut plain, mut sealed) = (Owned::empty(gss), 0);
        // SAFETY: the token is only read; the answer is the library's.
        let major = gss.call(abi::KRB5, |minor| unsafe {
            (gss.0.unwrap)(
                minor,
                self.handle,
                &raw const token,
                &raw mut plain.buffer,
                &raw mut sealed,
                ptr::null_mut(),
            )
        })?;
        match (major, sealed) {
            (0, 0) => Err(LibraryError::ours("the message was signed, but not encrypted")),
            (0, _) => Ok(plain.bytes().to_vec()),
            (_, _) => Err(LibraryError::ours("the message is old, repeated or out of order")),
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: the handle is ours or null, and is not used again.
        unsafe {
            (self.credential.gss.0.delete_sec_context)(
                &raw mut minor,
                &raw mut self.handle,
                ptr::null_mut(),
            )
        };
    }
}

/// The bytes of a buffer that the library filled.
unsafe fn view<'a>(buffer: Buffer) -> &'a [u8] {
    let Buffer { length, value } = buffer;
    if value.is_null() || length == 0 {
        return &[];
    }
    // SAFETY: the caller vouches that the buffer lives as long as the view is used.
    unsafe { slice::from_raw_parts(value.cast::<u8>(), length) }
}
