//! The bare loop, which is the limit, and an emitter on the sysinfo crate.

use std::io::{self, BufWriter, Write};
use std::mem::MaybeUninit;

use rustix::fs::{Mode, OFlags, RawDir, open, openat};
use rustix::io::read;
use serde_json::json;
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind, Users};

/// Lists /proc and reads, of each process, the three files that the default fields need. Nothing else.
pub fn bare() {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc = open("/proc", flags, Mode::empty()).expect("/proc");
    let mut entries = [MaybeUninit::uninit(); 32 * 1024];
    let mut text = vec![0_u8; 144 * 1024];
    let mut list = RawDir::new(&proc, &mut entries);
    while let Some(entry) = list.next() {
        let entry = entry.expect("an entry of /proc");
        let pid = entry.file_name().to_bytes();
        if !pid[0].is_ascii_digit() {
            continue;
        }
        for name in [b"/stat".as_slice(), b"/status", b"/cmdline"] {
            let mut path = [0; 32];
            path[..pid.len()].copy_from_slice(pid);
            path[pid.len()..pid.len() + name.len()].copy_from_slice(name);
            let path = &path[..pid.len() + name.len()];
            if let Ok(file) = openat(&proc, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
                let _ = read(&file, text.as_mut_slice());
            }
        }
    }
}

/// What a program written in an afternoon would do, of the same fields what sysinfo has.
pub fn sysinfo() {
    let kind = ProcessRefreshKind::nothing()
        .with_cpu()
        .with_memory()
        .with_cmd(UpdateKind::Always)
        .with_user(UpdateKind::Always);
    let mut system = System::new();
    system.refresh_memory();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, kind);
    let users = Users::new_with_refreshed_list();
    let computer = System::host_name();
    let mut out = BufWriter::with_capacity(64 * 1024, io::stdout());
    for (pid, process) in system.processes() {
        let command: Vec<_> = process.cmd().iter().map(|word| word.to_string_lossy()).collect();
        let user = process.user_id().and_then(|id| users.get_user_by_id(id)).map(sysinfo::User::name);
        let record = json!({
            "user": user,
            "pid": pid.as_u32(),
            "mem": process.memory() as f64 * 100.0 / system.total_memory() as f64,
            "vsz": process.virtual_memory() / 1024,
            "rss": process.memory() / 1024,
            "start": process.start_time(),
            "time": process.accumulated_cpu_time(),
            "command": command.join(" "),
            "Computer": computer,
        });
        writeln!(out, "{record}").expect("a line");
    }
    out.flush().expect("the last lines");
}
