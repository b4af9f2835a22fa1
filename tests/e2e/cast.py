"""Plays processes that are hard to read, for the tests: `cast.py ROLE` makes one, prints its pid once it is ready, and
keeps it as it is until standard input ends. All but zombies and the traced are stopped then, so that nothing moves.
A process that ends instead is an error, and none is left behind."""
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
import warnings
from concurrent.futures import ThreadPoolExecutor

libc = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PTRACE_TRACEME = 0
MLOCK_ONFAULT = 1
SYS_EXIT = {"x86_64": 60, "aarch64": 93}.get(platform.machine())
SYS_MLOCK2 = {"x86_64": 325, "aarch64": 284}.get(platform.machine())


def check(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def name(comm):
    check(libc.prctl(PR_SET_NAME, ctypes.c_char_p(comm), 0, 0, 0))


def arguments():
    """Where the arguments of this process are: proc_pid_stat(5), fields 48 and 49."""
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
    # Since Linux 5.18 the kernel makes of none an empty one; cat waits for its input.
    program = (ctypes.c_char_p * 1)(None)
    check(libc.execve(b"/bin/cat", program, program))


def no_arguments():
    # They can be lost: without the memory that they were in, /proc/PID/cmdline is empty. That is the main thread's
    # stack, which a child of another thread does not use.
    start, end = arguments()
    page = start // mmap.PAGESIZE * mmap.PAGESIZE
    check(libc.munmap(ctypes.c_void_p(page), ctypes.c_size_t(end - page)))


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


ROLES = {
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
}
# The state that shows that the role is played, where it is not that of a stopped process.
STATES = {"zombie": "Z", "zombie_leader": "Z", "traced": "t"}


def state(pid):
    with open(f"/proc/{pid}/stat", "rb") as stat:
        return stat.read().rpartition(b")")[2].split()[0].decode()


def has_ended(pid):
    """Whether the child has ended; it stays a zombie all the same."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def on_a_terminal(play):
    """Plays as the leader of a new terminal's session, whose foreground group its children belong to."""
    streams = os.dup(0), os.dup(1)
    leader, terminal = pty.fork()
    if leader == 0:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        play()
        os._exit(0)
    # The terminal is there as long as this end of it is open.
    _, status = os.waitpid(leader, 0)
    os.close(terminal)
    sys.exit(os.waitstatus_to_exitcode(status))


def play(role):
    ready, done = os.pipe()
    actor = os.fork()
    if actor == 0:
        check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
        # Whoever runs the tests may be nice.
        os.setpriority(os.PRIO_PROCESS, 0, 0)
        kept = ROLES[role]()
        os.write(done, b"x")
        while True:
            time.sleep(100000)
    os.close(done)
    try:
        if role not in STATES:
            # A byte from a role that stays in Python; the pipe's end from one that became another program.
            os.read(ready, 1)
            os.kill(actor, signal.SIGSTOP)
        if role == "traced":
            os.waitpid(actor, os.WUNTRACED)
        while state(actor) != STATES.get(role, "T"):
            if has_ended(actor) and role != "zombie":
                sys.exit(f"role {role}: the process ended")
            time.sleep(0.001)
        print(actor, flush=True)
        sys.stdin.read()
    finally:
        os.kill(actor, signal.SIGKILL)
        os.waitpid(actor, 0)


def main(role):
    def play_in_a_thread():
        with ThreadPoolExecutor(1) as thread:
            thread.submit(play, role).result()

    # From 3.12 on Python warns of a fork beside another thread; ours only waits.
    warnings.simplefilter("ignore", DeprecationWarning)
    if role == "foreground":
        on_a_terminal(play_in_a_thread)
    else:
        play_in_a_thread()


main(sys.argv[1])
