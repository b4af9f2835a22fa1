//! `--forward tls:…`, with the program that has TLS, which `.ci/run` puts into target/tls. The receiver uses Python's TLS.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

use tempfile::TempDir;

use crate::forward::Receiver;
use crate::support::{Tree, command, complaint, lacks, lines, quiet, skip};

/// An authority's file, and the files of those that it has certified, each with its key.
struct Certificates(TempDir);

impl Certificates {
    fn new() -> Self {
        let certificates = Certificates(tempfile::tempdir().unwrap());
        certificates.make(&["openssl"], "authority", &["-addext", "keyUsage=keyCertSign"]);
        for (maker, name, host) in [
            (&["openssl"][..], "server", "DNS:localhost,IP:127.0.0.1"),
            (&["openssl"], "other-host", "DNS:log.example"),
            (&["faketime", "2020-01-01", "openssl"], "expired", "DNS:localhost"),
            (&["openssl"], "client", "DNS:client.example"),
        ] {
            let authority = certificates.path("authority");
            let host = format!("subjectAltName={host}");
            let options =
                ["-CA", &authority, "-CAkey", &authority, "-addext", &host, "-addext", "basicConstraints=CA:FALSE"];
            certificates.make(maker, name, &options);
        }
        certificates
    }

    /// Makes a file with a certificate for 30 days and its key.
    fn make(&self, maker: &[&str], name: &str, options: &[&str]) {
        let mut openssl = Command::new(maker[0]);
        openssl.args(&maker[1..]).args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
        openssl.args(["-nodes", "-days", "30", "-subj", &format!("/CN={name}"), "-keyout", &self.path(name)]);
        let made = openssl.args(options).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let both = [fs::read(self.path(name)).unwrap(), made.stdout].concat();
        fs::write(self.path(name), both).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }
}

/// The program that has TLS. None if the test must be skipped.
fn program(test: &str) -> Option<&'static str> {
    const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tls/procline");
    if !Path::new(PROGRAM).exists() {
        skip(test, "the program with TLS is not in target/tls; .ci/run puts it there");
        return None;
    }
    (!lacks(test, false, &["openssl", "faketime"])).then_some(PROGRAM)
}

fn host(program: &str, port: &str, options: &[&str]) -> Output {
    let address = format!("tls:localhost:{port}");
    command(program, &["host", "--timeout", "5s", "--forward", &address]).args(options).output().unwrap()
}

/// Many batches of many records, with both versions of TLS, and with a shared key within it.
#[test]
fn what_arrives_is_what_was_sent() {
    const TEST: &str = "what_arrives_is_what_was_sent";
    let Some(program) = program(TEST) else { return };
    let certificates = Certificates::new();
    let (authority, server) = (certificates.path("authority"), certificates.path("server"));
    let key = certificates.path("key");
    fs::write(&key, "example-key").unwrap();
    let tree = Tree::copy();
    let stat = fs::read_to_string(tree.path("proc/1200/stat")).unwrap();
    for pid in 3000..3500 {
        tree.write(&format!("proc/{pid}/stat"), stat.replace("1200 (", &format!("{pid} (")).as_bytes());
        tree.write(&format!("proc/{pid}/cmdline"), &[b'x'; 1000]);
    }
    let [procfs, rootfs] = ["proc", "root"].map(|name| tree.path(name).to_str().unwrap().to_owned());
    let run = |options: &[&str]| {
        let fields = ["--fields", "-timestamp", "--timeout", "60s", "--procfs", &procfs, "--rootfs", &rootfs];
        quiet(command(program, &fields).args(options))
    };
    let printed = run(&[]);
    let expected: Vec<serde_json::Map<_, _>> =
        lines(&printed).into_iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (behaviour, version) in
        [("close,slow", &["--certificate", server.as_str()][..]), ("ack", &["--tls-1-2", "--certificate", &server])]
    {
        let Some(receiver) = Receiver::start(TEST, &[&["0", behaviour, "example-key"], version].concat()) else {
            return;
        };
        let address = format!("tls:127.0.0.1:{}", receiver.port);
        run(&["--forward", &address, "--ca-file", &authority, "--shared-key-file", &key]);
        assert!(receiver.records() == expected, "{behaviour}");
    }
}

#[test]
fn a_receiver_that_is_another_is_refused() {
    const TEST: &str = "a_receiver_that_is_another_is_refused";
    let Some(program) = program(TEST) else { return };
    let certificates = Certificates::new();
    let authority = certificates.path("authority");
    for (certificate, options, expected) in [
        (
            "server",
            &[][..],
            "is of an authority that this machine does not trust: name the authority's file with --ca-file",
        ),
        ("other-host", &["--ca-file", &authority], "not valid for name"),
        ("expired", &["--ca-file", &authority], "expired"),
    ] {
        let Some(receiver) = Receiver::start(TEST, &["0", "ack", "--certificate", &certificates.path(certificate)])
        else {
            return;
        };
        // Any other authority that a machine trusts would do.
        let machine = ("SSL_CERT_FILE", certificates.path("client"));
        let address = format!("tls:localhost:{}", receiver.port);
        let mut command = command(program, &["host", "--timeout", "60s", "--forward", &address]);
        let (code, error) = complaint(&command.args(options).env(machine.0, machine.1).output().unwrap());
        assert!(code == 1 && error.contains(expected), "{certificate}: {error}");
        assert!(receiver.records().is_empty());
    }
    let Some(receiver) = Receiver::start(TEST, &["0", "http"]) else { return };
    let (code, error) = complaint(&host(program, &receiver.port, &["--ca-file", &authority]));
    assert!(code == 1 && error.contains("it does not speak TLS: leave out tls:"), "{error}");
}

#[test]
fn a_receiver_may_ask_who_sends() {
    const TEST: &str = "a_receiver_may_ask_who_sends";
    let Some(program) = program(TEST) else { return };
    let certificates = Certificates::new();
    let authority = certificates.path("authority");
    for version in [&[][..], &["--tls-1-2"]] {
        let options = ["0", "ack", "--certificate", &certificates.path("server"), "--client-authority", &authority];
        let Some(receiver) = Receiver::start(TEST, &[&options, version].concat()) else { return };
        let (code, error) = complaint(&host(program, &receiver.port, &["--ca-file", &authority]));
        assert!(code == 1 && error.to_lowercase().contains("alert"), "{error}");
        let own = certificates.path("client");
        let output = host(program, &receiver.port, &["--ca-file", &authority, "--cert-file", &own]);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(receiver.records().len(), 1);
    }
}

/// A handshake that does not end, or that the receiver ends.
#[test]
fn a_handshake_ends() {
    const TEST: &str = "a_handshake_ends";
    let Some(program) = program(TEST) else { return };
    let certificates = Certificates::new();
    let authority = certificates.path("authority");
    for (answers, expected) in [(true, "it does not answer the handshake of TLS"), (false, "tls:localhost:")] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        // The thread ends with the test's process.
        thread::spawn(move || {
            for connection in listener.incoming() {
                let mut bytes = Vec::new();
                let _ = answers.then(|| connection.unwrap().read_to_end(&mut bytes));
            }
        });
        let (code, error) = complaint(&host(program, &port, &["--ca-file", &authority]));
        assert!(code == 1 && error.contains(expected), "{error}");
    }
}

#[test]
fn files_that_are_no_certificates_get_a_sentence() {
    const TEST: &str = "files_that_are_no_certificates_get_a_sentence";
    let Some(program) = program(TEST) else { return };
    let certificates = Certificates::new();
    let [empty, garbage, alone] = ["empty", "garbage", "alone"].map(|name| certificates.path(name));
    fs::write(&empty, "").unwrap();
    fs::write(&garbage, "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n").unwrap();
    let whole = fs::read_to_string(certificates.path("client")).unwrap();
    fs::write(&alone, &whole[whole.find("-----BEGIN CERTIFICATE").unwrap()..]).unwrap();
    for (options, expected) in [
        (["--ca-file", "/nonexistent"], "--ca-file /nonexistent: No such file or directory"),
        (["--ca-file", &empty], "it has no certificate in PEM format"),
        (["--ca-file", &garbage], "--ca-file"),
        (["--cert-file", &alone], "it has no private key in PEM format"),
        (["--cert-file", &empty], "--cert-file"),
    ] {
        let mut command = command(program, &["host", "--forward", "tls:localhost:1"]);
        let output = command.args(options).env("SSL_CERT_FILE", certificates.path("authority")).output().unwrap();
        let (code, error) = complaint(&output);
        assert!(code == 2 && error.contains(expected), "{options:?}: {error}");
    }
    let nothing = [("SSL_CERT_FILE", empty.as_str()), ("SSL_CERT_DIR", "/nonexistent")];
    let output = command(program, &["host", "--forward", "tls:localhost:1"]).envs(nothing).output().unwrap();
    let (code, error) = complaint(&output);
    assert!(code == 2 && error.contains("install ca-certificates, or name a file with --ca-file"), "{error}");
}
