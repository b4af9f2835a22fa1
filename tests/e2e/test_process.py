"""Makes processes that are hard to read, for the tests. `test_process.py KIND` makes one, prints its pid once it is
ready, and keeps it unchanged until standard input ends. The process is stopped, so that nothing in it changes. Only
zombies and the traced process are not stopped. If the process ends too early, a line about that is printed instead of
the pid. It never outlives the script."""
import ctypes
import mmap
import os
import platform
import pty
import resource
import signal
import sys
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PTRACE_TRACEME = 0
MLOCK_ONFAULT = 1
SYS_EXIT = {"x86_64": 60, "aarch64": 93}.get(platform.machine())
SYS_MLOCK2 = {"x86_64": 325, "aarch64": 284}.get(platform.machine())
# The number of pause(2), or of ppoll(2) where pause does not exist. It is text, because it is compared with text.
SYS_PAUSE = {"x86_64": "34", "aarch64": "73"}.get(platform.machine())
# In seconds; no process takes so long to be ready.
PATIENCE = 300


def check(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def name(comm):
    check(libc.prctl(PR_SET_NAME, ctypes.c_char_p(comm), 0, 0, 0))


def die_with_supervisor():
    check(libc.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0))
    if os.getppid() != supervisor:
        os._exit(1)


def get_ready():
    """Reports that the process is ready, and sleeps. Only processes that stay in Python call this."""
    # Once more: the kernel forgets the signal when the user changes.
    die_with_supervisor()
    os.write(done, b"x")
    while True:
        time.sleep(100000)


def arguments():
    """The addresses of this process's arguments: proc_pid_stat(5), fields 48 and 49."""
    with open("/proc/self/stat", "rb") as stat:
        words = stat.read().rpartition(b")")[2].split()
    return int(words[45]), int(words[46])


def thread():
    threading.Thread(target=time.sleep, args=(100000,), daemon=True).start()


def memory():
    area = mmap.mmap(-1, 1 << 20)
    address = ctypes.addressof(ctypes.c_char.from_buffer(area))
    return area, ctypes.c_void_p(address), ctypes.c_size_t(1 << 20)


def zombie_leader():
    thread()
    libc.syscall(SYS_EXIT, 0)


def mlock():
    area, address, size = memory()
    check(libc.mlock(address, size))
    return area


def mlock_onfault():
    area, address, size = memory()
    check(libc.syscall(SYS_MLOCK2, address, size, MLOCK_ONFAULT))
    return area


def empty_argv():
    # Since Linux 5.18 the kernel replaces an empty argv with one empty argument. cat waits for its input.
    program = (ctypes.c_char_p * 1)(None)
    check(libc.execve(b"/bin/cat", program, program))


def no_arguments():
    # Without the memory of the arguments, /proc/PID/cmdline is empty. The main thread's stack may be on the same page.
    # So this thread sleeps forever, and another thread, with a stack of its own, unmaps the page.
    threading.Thread(target=lose_arguments, daemon=True).start()
    while True:
        libc.pause()


def lose_arguments():
    try:
        while not main_thread_pauses():
            time.sleep(0.001)
        start, end = arguments()
        page = start // mmap.PAGESIZE * mmap.PAGESIZE
        check(libc.munmap(ctypes.c_void_p(page), ctypes.c_size_t(end - page)))
        get_ready()
    finally:
        os._exit(1)


def main_thread_pauses():
    with open(f"/proc/self/task/{os.getpid()}/syscall") as syscall:
        return syscall.read().split()[0] == SYS_PAUSE


def rewrite_title():
    start, end = arguments()
    title = b"nginx: worker process (idle)"
    ctypes.memmove(start, title.ljust(end - start, b"\0")[: end - start], end - start)


def uid_without_name():
    os.setuid(4242424)


def uid_of_long_name():
    os.setuid(54321)


def command_of_5_mb():
    resource.setrlimit(resource.RLIMIT_STACK, (64 << 20, resource.RLIM_INFINITY))
    words = [b"%04d:" % place + b"x" * 40000 for place in range(128)]
    os.execv("/bin/cat", [b"cat", b"-", *words])


KINDS = {
    "plain": lambda: None,
    "zombie": lambda: os._exit(0),
    "zombie_leader": zombie_leader,
    "traced": lambda: (check(libc.ptrace(PTRACE_TRACEME, 0, 0, 0)), os.kill(os.getpid(), signal.SIGSTOP)),
    "nice": lambda: os.nice(5),
    "negative_nice": lambda: os.nice(-5),
    "session_leader": os.setsid,
    "threads": lambda: [thread() for _ in range(3)],
    "mlock": mlock,
    "mlock_onfault": mlock_onfault,
    "foreground": lambda: None,
    "empty_argv": empty_argv,
    "no_arguments": no_arguments,
    "empty_comm": lambda: name(b""),
    "empty_comm_and_argv": lambda: (name(b""), no_arguments()),
    "title": rewrite_title,
    "name_like_stat": lambda: (name(b"a) R 1 1 (b"), no_arguments()),
    "name_with_blanks": lambda: (name(b" two  words "), no_arguments()),
    "name_with_newline": lambda: (name(b"a\nb\tc"), no_arguments()),
    "name_not_utf8": lambda: (name(b"a\xff\xc3(\xe9"), no_arguments()),
    "arguments_of_all_kinds": lambda: os.execv("/bin/cat", [b"cat", b"-", b"", b"a b", b"n\nl", b"t\tb\x01\x7f",
                                                           "é€😀".encode(), b"\xff\xfe\xc3(", b'q"\\', b"", b""]),
    "uid_without_name": uid_without_name,
    "uid_of_long_name": uid_of_long_name,
    "groups_1000": lambda: os.setgroups(list(range(100000, 101000))),
    "groups_65000": lambda: os.setgroups(list(range(100000, 165000))),
    "command_of_5_mb": command_of_5_mb,
    # This one fails.
    "ends": lambda: os.kill(os.getpid(), signal.SIGSEGV),
}
# The state in which a process is ready, if not T (stopped).
STATES = {"zombie": "Z", "zombie_leader": "Z", "traced": "t"}


def state(pid):
    with open(f"/proc/{pid}/stat", "rb") as stat:
        return stat.read().rpartition(b")")[2].split()[0].decode()


def move_to_a_terminal():
    """Continues as the session leader of a new terminal. Its children are in the foreground group."""
    kept = [os.dup(0), os.dup(1)]
    leader, _ = pty.fork()
    if leader:
        # If this process is killed, the terminal hangs up, and that ends the leader.
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(leader, 0)[1]))
    # Standard error stays the terminal: if nobody had the terminal open, no process would belong to it.
    for target, source in enumerate(kept):
        os.dup2(source, target)


def become(kind):
    die_with_supervisor()
    # The tests may run with another nice value.
    os.setpriority(os.PRIO_PROCESS, 0, 0)
    kept = KINDS[kind]()
    get_ready()


def supervise(kind, process):
    if kind not in STATES:
        # A process that stays in Python writes a byte. One that executes another program, or ends, closes the pipe.
        os.read(ready, 1)
        os.kill(process, signal.SIGSTOP)
    if kind == "traced":
        os.waitpid(process, os.WUNTRACED)
    expected = STATES.get(kind, "T")
    while (now := state(process)) != expected:
        if now in "ZX":
            print("the test process ended:", os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
            sys.exit(1)
        time.sleep(0.001)
    print(process, flush=True)
    signal.alarm(0)
    sys.stdin.read()
    os.kill(process, signal.SIGKILL)
    # When the script ends, nothing is left of the process.
    while os.WIFSTOPPED(os.waitpid(process, 0)[1]):
        pass


kind = sys.argv[1]
if kind == "foreground":
    move_to_a_terminal()
elif os.getpgrp() != os.getpid():
    # Leave the terminal of the tests: in its foreground group every process would have a + in STAT.
    os.setsid()
supervisor = os.getpid()
signal.alarm(PATIENCE)
ready, done = os.pipe()
process = os.fork()
if process == 0:
    become(kind)
os.close(done)
supervise(kind, process)
