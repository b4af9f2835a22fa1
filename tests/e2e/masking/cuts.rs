//! Secrets where procline cuts a command line: at the end of the 128 KiB that it reads first, at the beginning of the last
//! 16 KiB, and at the limit of a record.

use crate::support::{Tree, quiet};

const SECRET: &str = "Xq7Cut5ecretAbCdEf0123";
const HEAD: usize = 128 * 1024;
const TAIL: usize = 16 * 1024;

/// A program and an argument list in each form that a cut may take apart: the secret is behind its flag, its key, in quotes,
/// or in a URL. What the program is must be known on both sides of a gap.
const FORMS: &[(&str, &str)] = &[
    ("app", "--password\0§"),
    ("app", "--api-token=§"),
    ("app", "DB_PASSWORD=a b;§"),
    ("curl", "-u\0joe:§\0h"),
    ("mysql", "-u\0root\0-p§\0shop"),
    ("redis-cli", "-h\0h\0-a\0§\0ping"),
    ("app", "-u\0joe\0-p\0§"),
    ("app", "https://joe:§@host/path"),
    ("app", "-H\0Authorization: Bearer §"),
    ("app", "sh\0-c\0cd /srv; redis-cli -a '§' ping"),
    ("app", "{\"user\":\"joe\",\"password\":\"§\",\"port\":1}"),
    ("app", "ghp_§01234567890123"),
    ("app", "-----BEGIN PRIVATE KEY-----\n§\n-----END PRIVATE KEY-----"),
];

/// Whether any useful part of the secret is in the output.
fn shows(output: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(output);
    SECRET.as_bytes().windows(7).filter_map(|part| std::str::from_utf8(part).ok()).find(|part| text.contains(part))
}

fn snapshot(tree: &Tree, arguments: &[u8], max: &str) -> Vec<u8> {
    tree.write("proc/1200/cmdline", arguments);
    quiet(&mut tree.procline(&["--pid", "1200", "--fields", "command,args", "--max-record-bytes", max]))
}

#[test]
fn no_part_of_a_secret_is_shown_at_the_ends_of_what_is_read() {
    let tree = Tree::copy();
    for (program, form) in FORMS {
        let program = format!("{program}\0").into_bytes();
        let secret = form.replace('§', SECRET).into_bytes();
        // Where the secret begins: so that the cut is before, in and after each part of it.
        for back in (0..secret.len() + 12).step_by(5) {
            let filler = |length: usize| [vec![b'x'; length.saturating_sub(1)], vec![0]].concat();
            let after = filler(3 * TAIL);
            let head =
                [program.clone(), filler(HEAD - program.len() - back + 6), secret.clone(), vec![0], after.clone()]
                    .concat();
            let rest = TAIL + back - 6 - secret.len().min(TAIL);
            let tail = [program.clone(), filler(HEAD + 2 * TAIL), secret.clone(), vec![0], filler(rest)].concat();
            for arguments in [head, tail] {
                let shown = snapshot(&tree, &arguments, "0");
                assert_eq!(shows(&shown), None, "{form:?}, {back} bytes before the cut");
            }
        }
    }
}

#[test]
fn no_part_of_a_secret_is_shown_at_the_limit_of_a_record() {
    let tree = Tree::copy();
    for (program, form) in FORMS {
        let secret = form.replace('§', SECRET).into_bytes();
        for before in (0..1200).step_by(97) {
            let words = vec![b"word".as_slice(); before / 5];
            let mut arguments =
                [&[program.as_bytes()][..], &words, &[&secret], &[b"x".as_slice(); 700]].concat().join(&0);
            arguments.push(0);
            let shown = snapshot(&tree, &arguments, "1024");
            assert_eq!(shows(&shown), None, "{form:?} after {before} bytes");
        }
    }
}
