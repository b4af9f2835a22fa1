//! The one module with `unsafe`: calls of the C library that rustix does not make safe.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::ptr;

/// The name of a user as the system's name services have it, getpwuid_r(3); none where they know none or fail.
pub fn user_name(uid: u32) -> Option<String> {
    /// More than any entry takes: a name and a directory are shorter than a path.
    const MOST: usize = 1 << 20;
    let mut buffer = vec![0; 1024];
    loop {
        let mut entry = MaybeUninit::<libc::passwd>::uninit();
        let mut found = ptr::null_mut();
        // SAFETY: the pointers are valid for the call, and the length is that of the buffer.
        let error =
            unsafe { libc::getpwuid_r(uid, entry.as_mut_ptr(), buffer.as_mut_ptr(), buffer.len(), &raw mut found) };
        if error == libc::ERANGE && buffer.len() < MOST {
            buffer.resize(buffer.len() * 2, 0);
            continue;
        }
        if error != 0 || found.is_null() {
            return None;
        }
        // SAFETY: on success `found` points to `entry`, whose name is a string within `buffer`; both are still here.
        let name = unsafe { CStr::from_ptr((*found).pw_name) };
        return Some(name.to_string_lossy().into_owned()).filter(|name| !name.is_empty());
    }
}

/// Closes a descriptor by the bare system call. The C library's close(2) is a cancellation point, pthreads(7), which in
/// a program of two threads costs as much again; what std does when a descriptor is dropped is that.
pub fn close(descriptor: OwnedFd) {
    // SAFETY: the descriptor is owned, open, and given away here, so that nobody uses or closes it again.
    unsafe { rustix::io::close(descriptor.into_raw_fd()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_nss() {
        assert_eq!(user_name(0).as_deref(), Some("root"));
        assert_eq!(user_name(4_242_424_242), None);
    }
}
