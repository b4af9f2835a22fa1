//! The only module with `unsafe`: system and C library calls for which rustix has no safe function.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::mem::{MaybeUninit, size_of_val};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::{io, ptr};

use rustix::io::Errno;
use rustix::process::{Signal, set_parent_process_death_signal};

pub use libc::sock_filter as Instruction;

/// Whether the C library can ask the system's name services. A static glibc would load the machine's modules for them, and
/// with those the machine's own glibc, which may be another version. Programs that did crashed.
pub const HAS_NAME_SERVICES: bool = cfg!(not(all(target_env = "gnu", target_feature = "crt-static")));

/// The name of a user in the system's name services, getpwuid_r(3). None if they know none or fail.
pub fn user_name(uid: u32) -> Option<String> {
    look_up(|buffer| {
        let mut entry = MaybeUninit::<libc::passwd>::uninit();
        let mut found = ptr::null_mut();
        // SAFETY: the pointers are valid for the call, and the length is the buffer's length.
        let error =
            unsafe { libc::getpwuid_r(uid, entry.as_mut_ptr(), buffer.as_mut_ptr(), buffer.len(), &raw mut found) };
        // SAFETY: on success `found` points to `entry`, and its name is a string in `buffer`. Both are still alive.
        let name = (error == 0 && !found.is_null()).then(|| unsafe { text((*found).pw_name) });
        (error, name)
    })
}

/// The name of a group in the system's name services, getgrgid_r(3). None if they know none or fail.
pub fn group_name(gid: u32) -> Option<String> {
    look_up(|buffer| {
        let mut entry = MaybeUninit::<libc::group>::uninit();
        let mut found = ptr::null_mut();
        // SAFETY: the same as in `user_name`.
        let error =
            unsafe { libc::getgrgid_r(gid, entry.as_mut_ptr(), buffer.as_mut_ptr(), buffer.len(), &raw mut found) };
        // SAFETY: the same as in `user_name`.
        let name = (error == 0 && !found.is_null()).then(|| unsafe { text((*found).gr_name) });
        (error, name)
    })
}

/// Whether the signal is ignored, sigaction(2). A shell starts `command &` with SIGINT ignored, and nohup(1) ignores
/// SIGHUP.
pub fn is_ignored(signal: libc::c_int) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: the call sets no action, and the pointer for the current action is valid for the call.
    let error = unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) };
    // SAFETY: on success the current action was written there.
    error == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// Lets the kernel kill the program of a command when the thread ends that starts it, prctl(2). So the program ends with
/// procline, however that ends.
pub fn kill_with_this_thread(command: &mut Command) {
    let signal = || Ok(set_parent_process_death_signal(Some(Signal::KILL))?);
    // SAFETY: between fork and exec the closure only makes a system call.
    unsafe { command.pre_exec(signal) };
}

/// Attaches a program of the classic packet filter to a socket: only messages that it accepts are queued, socket(7).
///
/// # Errors
/// Those of setsockopt(2).
pub fn attach_filter(socket: impl AsFd, program: &mut [Instruction]) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
    // SAFETY: the option's value is a `sock_fprog`, whose instructions live until the call has copied them.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of_val(&program) as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// How many messages a socket had no room for since it was opened, modulo 2^32: `SK_MEMINFO_DROPS` of `SO_MEMINFO`.
///
/// # Errors
/// Those of getsockopt(2).
pub fn dropped_messages(socket: impl AsFd) -> io::Result<u32> {
    /// `SK_MEMINFO_DROPS` of the kernel's include/uapi/linux/sock_diag.h, the last of nine numbers.
    const DROPS: usize = 8;
    let mut numbers = [0_u32; DROPS + 1];
    let mut length = size_of_val(&numbers) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes there, and any bytes are valid numbers.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            numbers.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result == 0 { Ok(numbers[DROPS]) } else { Err(io::Error::last_os_error()) }
}

/// Lets the calling thread run before all threads that are not realtime, sched(7). False if the rights do not allow it.
pub fn run_realtime() -> bool {
    /// Above other programs, and below everything that is realtime itself.
    const PRIORITY: libc::c_int = 1;
    // SAFETY: all fields of this struct are numbers.
    let mut parameter: libc::sched_param = unsafe { MaybeUninit::zeroed().assume_init() };
    parameter.sched_priority = PRIORITY;
    // SAFETY: 0 is the calling thread, and the pointer is valid for the call.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &raw const parameter) == 0 }
}

/// Lets the calling thread run soon after it wakes, without realtime priority: with a short slice, and before other programs
/// if the rights allow that, sched_setattr(2). A kernel before 6.12 has no slices of a thread's own.
pub fn run_soon() {
    const HIGHEST: i32 = -20;
    /// The shortest that the kernel allows, in nanoseconds.
    const SLICE: u64 = 100_000;
    // SAFETY: all fields of this struct are numbers.
    let mut attributes: libc::sched_attr = unsafe { MaybeUninit::zeroed().assume_init() };
    attributes.size = size_of::<libc::sched_attr>() as u32;
    attributes.sched_policy = libc::SCHED_OTHER as u32;
    attributes.sched_flags = libc::SCHED_FLAG_RESET_ON_FORK as u64;
    attributes.sched_runtime = SLICE;
    let own = rustix::process::getpriority_process(None).unwrap_or_default();
    for nice in [HIGHEST, own] {
        attributes.sched_nice = nice;
        // SAFETY: 0 is the calling thread, and the pointer is valid for the call.
        if unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) } == 0 {
            return;
        }
    }
}

/// Repeats `call` with a larger buffer until the entry fits: a group may have many members.
fn look_up(call: impl Fn(&mut [libc::c_char]) -> (libc::c_int, Option<String>)) -> Option<String> {
    const MAX: usize = 16 << 20;
    if !HAS_NAME_SERVICES {
        return None;
    }
    let mut buffer = vec![0; 1024];
    loop {
        let (error, name) = call(&mut buffer);
        if error != libc::ERANGE || buffer.len() >= MAX {
            return name.filter(|name| !name.is_empty());
        }
        buffer.resize(buffer.len() * 2, 0);
    }
}

/// # Safety
/// `string` must point to bytes that end with a NUL.
unsafe fn text(string: *const libc::c_char) -> String {
    // SAFETY: the caller guarantees that the bytes end with a NUL.
    unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned()
}

/// Closes a descriptor with the plain system call. Dropping a descriptor calls the C library's close(2) instead. That
/// is a cancellation point, pthreads(7), which doubles the cost in a program with two threads.
pub fn close(descriptor: OwnedFd) {
    // SAFETY: the descriptor is owned and open, and is consumed here, so nothing uses or closes it again.
    unsafe { rustix::io::close(descriptor.into_raw_fd()) }
}

/// Reads the next part of a directory's list into `buffer`, getdents64(2), and returns its length: 0 at the end. rustix shows
/// the entries one after the other, and not in another order.
pub fn list(directory: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel writes at most as many bytes as the buffer has.
    let length =
        unsafe { libc::syscall(libc::SYS_getdents64, directory.as_raw_fd(), buffer.as_mut_ptr(), buffer.len()) };
    let failed = |_| Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO);
    usize::try_from(length).map_err(failed)
}

/// The text before the first NUL. None if the last of the bytes is no NUL. `CStr::from_bytes_until_nul` does the same, and
/// takes several times as long for a short text.
pub fn text_until_nul(bytes: &[u8]) -> Option<&CStr> {
    // SAFETY: the search for a NUL ends at the last of the bytes, or before.
    bytes.ends_with(&[0]).then(|| unsafe { CStr::from_ptr(bytes.as_ptr().cast()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_that_are_ignored() {
        // The Rust runtime ignores SIGPIPE.
        assert!(is_ignored(libc::SIGPIPE) && !is_ignored(libc::SIGSEGV) && !is_ignored(4711));
    }

    #[test]
    fn names_by_nss() {
        let root = HAS_NAME_SERVICES.then_some("root");
        assert_eq!(user_name(0).as_deref(), root);
        assert_eq!(user_name(4_242_424_242), None);
        assert_eq!(group_name(0).as_deref(), root);
        assert_eq!(group_name(4_242_424_242), None);
    }
    #[test]
    fn a_text_ends_at_the_first_nul() {
        assert_eq!(text_until_nul(b"a\0b\0"), Some(c"a"));
        assert_eq!((text_until_nul(b"\0"), text_until_nul(b"a\0b"), text_until_nul(b"")), (Some(c""), None, None));
    }
}
