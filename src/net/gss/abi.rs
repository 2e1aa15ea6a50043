//! What GSSAPI's header says: types, numbers and names (RFC 2744; IOV buffers as MIT has them).

use std::ffi::c_char;
use std::ffi::c_int;
use std::ffi::c_void;

use crate::net::kerberos::mechanism::Mechanism;

/// Where MIT's library is looked for. Apple's own lacks the functions for WinRM's layout.
#[cfg(target_os = "macos")]
pub(super) const NAMES: [&str; 2] = [
    "/opt/homebrew/opt/krb5/lib/libgssapi_krb5.dylib",
    "/usr/local/opt/krb5/lib/libgssapi_krb5.dylib",
];
#[cfg(not(target_os = "macos"))]
pub(super) const NAMES: [&str; 2] = ["libgssapi_krb5.so.2", "libgssapi_krb5.so"];

pub(super) const KRB5: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02";
const SPNEGO: &[u8] = b"\x2b\x06\x01\x05\x05\x02";
pub(super) const HOST_BASED: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x01\x04";
pub(super) const USER_NAME: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x01\x01";

pub(super) const INITIATE: c_int = 1;
/// Mutual authentication, replay and order detection, sealing, signing.
pub(super) const FLAGS: u32 = 2 | 4 | 8 | 16 | 32;
/// What the host must have agreed to.
pub(super) const NEEDED: u32 = 2 | 16 | 32;
pub(super) const CONTINUE_NEEDED: u32 = 1;
pub(super) const INDEFINITE: u32 = u32::MAX;

pub(super) const IOV_DATA: u32 = 1;
pub(super) const IOV_HEADER: u32 = 2;
pub(super) const IOV_PADDING: u32 = 9;
/// The library shall allocate the buffer.
pub(super) const IOV_ALLOCATE: u32 = 0x0001_0000;

// Apple packs these structures on Intel.
#[cfg_attr(all(target_os = "macos", target_arch = "x86_64"), repr(C, packed(2)))]
#[cfg_attr(not(all(target_os = "macos", target_arch = "x86_64")), repr(C))]
#[derive(Clone, Copy)]
pub(super) struct Buffer {
    pub(super) length: usize,
    pub(super) value: *mut c_void,
}

#[cfg_attr(all(target_os = "macos", target_arch = "x86_64"), repr(C, packed(2)))]
#[cfg_attr(not(all(target_os = "macos", target_arch = "x86_64")), repr(C))]
pub(super) struct Oid {
    pub(super) length: u32,
    pub(super) elements: *const c_void,
}

#[cfg_attr(all(target_os = "macos", target_arch = "x86_64"), repr(C, packed(2)))]
#[cfg_attr(not(all(target_os = "macos", target_arch = "x86_64")), repr(C))]
pub(super) struct OidSet {
    pub(super) count: usize,
    pub(super) elements: *const Oid,
}

#[cfg_attr(all(target_os = "macos", target_arch = "x86_64"), repr(C, packed(2)))]
#[cfg_attr(not(all(target_os = "macos", target_arch = "x86_64")), repr(C))]
pub(super) struct Iov {
    pub(super) kind: u32,
    pub(super) buffer: Buffer,
}

#[cfg_attr(all(target_os = "macos", target_arch = "x86_64"), repr(C, packed(2)))]
#[cfg_attr(not(all(target_os = "macos", target_arch = "x86_64")), repr(C))]
pub(super) struct Bindings {
    pub(super) initiator_type: u32,
    pub(super) initiator: Buffer,
    pub(super) acceptor_type: u32,
    pub(super) acceptor: Buffer,
    pub(super) application: Buffer,
}

impl Bindings {
    /// Application data without addresses, as TLS channel bindings are (RFC 5929).
    pub(super) fn of(data: &[u8]) -> Self {
        let empty = borrowed(&[]);
        Self {
            initiator_type: 0,
            initiator: empty,
            acceptor_type: 0,
            acceptor: empty,
            application: borrowed(data),
        }
    }
}

/// Where a credential is kept: `ccache` and its name.
#[repr(C)]
pub(super) struct Element {
    pub(super) key: *const c_char,
    pub(super) value: *const c_char,
}

#[repr(C)]
pub(super) struct Store {
    pub(super) count: u32,
    pub(super) elements: *const Element,
}

/// A name, credential or context of the library.
pub(super) type Handle = *mut c_void;

/// Where functions are found; the implementor vouches that a symbol has the type it is asked for.
pub(super) trait Symbols {
    type Error;

    fn symbol<T: Copy>(&self, name: &[u8]) -> Result<T, Self::Error>;
}

macro_rules! api {
    ($($field:ident = $symbol:literal: fn($($argument:ty),*);)*) => {
        /// The functions that are used, each with the library's own name.
        pub(super) struct Api {
            $(pub(super) $field: unsafe extern "C" fn(*mut u32, $($argument),*) -> u32,)*
        }

        impl Api {
            pub(super) fn of<S: Symbols>(library: &S) -> Result<Self, S::Error> {
                Ok(Self { $($field: library.symbol($symbol)?,)* })
            }
        }
    };
}

api! {
    import_name = b"gss_import_name\0": fn(*const Buffer, *const Oid, *mut Handle);
    display_name = b"gss_display_name\0": fn(Handle, *mut Buffer, *mut *const Oid);
    release_name = b"gss_release_name\0": fn(*mut Handle);
    acquire_cred = b"gss_acquire_cred\0": fn(Handle, u32, *const OidSet, c_int, *mut Handle, *mut *const OidSet, *mut u32);
    acquire_cred_with_password = b"gss_acquire_cred_with_password\0": fn(Handle, *const Buffer, u32, *const OidSet, c_int, *mut Handle, *mut *const OidSet, *mut u32);
    acquire_cred_from = b"gss_acquire_cred_from\0": fn(Handle, u32, *const OidSet, c_int, *const Store, *mut Handle, *mut *const OidSet, *mut u32);
    store_cred_into = b"gss_store_cred_into\0": fn(Handle, c_int, *const Oid, u32, u32, *const Store, *mut *const OidSet, *mut c_int);
    set_neg_mechs = b"gss_set_neg_mechs\0": fn(Handle, *const OidSet);
    inquire_cred = b"gss_inquire_cred\0": fn(Handle, *mut Handle, *mut u32, *mut c_int, *mut *const OidSet);
    release_cred = b"gss_release_cred\0": fn(*mut Handle);
    init_sec_context = b"gss_init_sec_context\0": fn(Handle, *mut Handle, Handle, *const Oid, u32, u32, *const Bindings, *const Buffer, *mut *const Oid, *mut Buffer, *mut u32, *mut u32);
    delete_sec_context = b"gss_delete_sec_context\0": fn(*mut Handle, *mut Buffer);
    wrap_iov = b"gss_wrap_iov\0": fn(Handle, c_int, u32, *mut c_int, *mut Iov, c_int);
    release_iov = b"gss_release_iov_buffer\0": fn(*mut Iov, c_int);
    unwrap = b"gss_unwrap\0": fn(Handle, *const Buffer, *mut Buffer, *mut c_int, *mut u32);
    release_buffer = b"gss_release_buffer\0": fn(*mut Buffer);
    display_status = b"gss_display_status\0": fn(u32, c_int, *const Oid, *mut u32, *mut Buffer);
}

/// A view for the library, which only reads it.
pub(super) fn borrowed(bytes: &[u8]) -> Buffer {
    Buffer { length: bytes.len(), value: bytes.as_ptr().cast_mut().cast() }
}

pub(super) fn oid(bytes: &'static [u8]) -> Oid {
    // Object identifiers here have at most eleven bytes.
    Oid { length: u32::try_from(bytes.len()).unwrap_or(0), elements: bytes.as_ptr().cast() }
}

pub(super) fn oid_of(mechanism: Mechanism) -> Oid {
    oid(match mechanism {
        Mechanism::Spnego => SPNEGO,
        Mechanism::Kerberos => KRB5,
    })
}
