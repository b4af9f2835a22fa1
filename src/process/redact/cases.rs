//! Tests of masking: what is masked, what is not, and what holds for every command line.

use memchr::{memchr_iter, memmem};
use proptest::prelude::*;

use super::*;

type Arguments = &'static [&'static str];

/// Command lines and their masked form. The secret may be any word.
const MASKED: &[(Arguments, Arguments)] = &[
    // Flags.
    (&["x", "--password=abc"], &["x", "--password=********"]),
    (&["x", "--password=a b c"], &["x", "--password=********"]),
    (&["x", "--password=a;b=c&d=e,f=g"], &["x", "--password=********"]),
    (&["x", "--password=it's"], &["x", "--password=********"]),
    (&["x", "-password=abc"], &["x", "-password=********"]),
    (&["x", "--password", "abc", "y"], &["x", "--password", "********", "y"]),
    (&["x", "--password", "a b --c", "y"], &["x", "--password", "********", "y"]),
    (&["x", "--PassWord", "abc"], &["x", "--PassWord", "********"]),
    (&["x", "-passwd", "abc"], &["x", "-passwd", "********"]),
    (&["x", "--db-password", "abc"], &["x", "--db-password", "********"]),
    (&["x", "--passphrase", "a b"], &["x", "--passphrase", "********"]),
    (&["x", "--api-key", "abc"], &["x", "--api-key", "********"]),
    (&["x", "--api_key=abc"], &["x", "--api_key=********"]),
    (&["x", "--apiKey=abc"], &["x", "--apiKey=********"]),
    (&["x", "--access-key=abc"], &["x", "--access-key=********"]),
    (&["x", "--private-key=abc"], &["x", "--private-key=********"]),
    (&["x", "--client-secret", "abc"], &["x", "--client-secret", "********"]),
    (&["x", "--secret-access-key", "abc"], &["x", "--secret-access-key", "********"]),
    (&["x", "--credentials=abc"], &["x", "--credentials=********"]),
    (&["x", "--token", "abc"], &["x", "--token", "********"]),
    (&["x", "--registration-token=abc"], &["x", "--registration-token=********"]),
    (&["x", "--botToken=abc"], &["x", "--botToken=********"]),
    (&["x", "--stripeToken=abc"], &["x", "--stripeToken=********"]),
    (&["x", "--smtp-pass", "abc"], &["x", "--smtp-pass", "********"]),
    (&["x", "--pwd", "abc"], &["x", "--pwd", "********"]),
    (
        &["keytool", "-storepass", "abc", "-keypass", "def"],
        &["keytool", "-storepass", "********", "-keypass", "********"],
    ),
    (&["redis-server", "--requirepass", "abc"], &["redis-server", "--requirepass", "********"]),
    (&["wget", "--http-password", "abc"], &["wget", "--http-password", "********"]),
    (&["java", "-Djavax.net.ssl.keyStorePassword=abc"], &["java", "-Djavax.net.ssl.keyStorePassword=********"]),
    (&["helm", "--set", "db.password=abc"], &["helm", "--set", "db.password=********"]),
    (&["helm", "--set=db.password=abc,x=y"], &["helm", "--set=db.password=********,x=y"]),
    (&["kubectl", "--from-literal=password=abc"], &["kubectl", "--from-literal=password=********"]),
    (&["x", "--password", "abc", "--token", "def"], &["x", "--password", "********", "--token", "********"]),
    // Variables.
    (&["env", "PASSWORD=abc", "x"], &["env", "PASSWORD=********", "x"]),
    (&["env", "PASSWORD=a b", "x"], &["env", "PASSWORD=********", "x"]),
    (&["env", "MYSQL_PWD=abc", "x"], &["env", "MYSQL_PWD=********", "x"]),
    (&["env", "PGPASSWORD=/abc"], &["env", "PGPASSWORD=********"]),
    (&["env", "AWS_SECRET_ACCESS_KEY=a/b+c="], &["env", "AWS_SECRET_ACCESS_KEY=********"]),
    (&["docker", "run", "-e", "GITHUB_TOKEN=abc", "i"], &["docker", "run", "-e", "GITHUB_TOKEN=********", "i"]),
    (&["ansible", "-e", "db_password=abc x=y"], &["ansible", "-e", "db_password=********"]),
    (&["docker", "run", "--env=DB_PASS=abc", "i"], &["docker", "run", "--env=DB_PASS=********", "i"]),
    (&["env", "SSHPASS=abc", "sshpass", "-e"], &["env", "SSHPASS=********", "sshpass", "-e"]),
    // Keys with a colon.
    (&["x", "password:abc"], &["x", "password:********"]),
    (&["x.exe", "/password:abc"], &["x.exe", "/password:********"]),
    (&["x", "--password:abc"], &["x", "--password:********"]),
    (&["openssl", "-passin", "pass:abc"], &["openssl", "-passin", "pass:********"]),
    (&["openssl", "-passout", "pass:a b"], &["openssl", "-passout", "pass:********"]),
    (&["openssl", "enc", "-pass", "pass:abc"], &["openssl", "enc", "-pass", "pass:********"]),
    // URLs.
    (&["x", "https://user:abc@host/p"], &["x", "https://user:********@host/p"]),
    (&["x", "redis://:abc@host"], &["x", "redis://:********@host"]),
    (&["x", "jdbc:mysql://u:abc@h:3306/d"], &["x", "jdbc:mysql://u:********@h:3306/d"]),
    (&["x", "ftp://u:a:b@c@h/p@q"], &["x", "ftp://u:********@h/p@q"]),
    (&["x", "http://a:b@c,http://d:e@f"], &["x", "http://a:********@c,http://d:********@f"]),
    (&["x", "see http://a:b@c and 'http://d:e@f'"], &["x", "see http://a:********@c and 'http://d:********@f'"]),
    (&["x", "--url=amqp://u:abc@h"], &["x", "--url=amqp://u:********@h"]),
    (&["x", "https://h/p?access_token=abc&x=1"], &["x", "https://h/p?access_token=********&x=1"]),
    (&["x", "https://h/p?x=1&api_key=abc"], &["x", "https://h/p?x=1&api_key=********"]),
    (&["x", "https://h/c?sv=1&sig=a%2Bb&se=2"], &["x", "https://h/c?sv=1&sig=********&se=2"]),
    (&["x", "https://h/c?sig=abc"], &["x", "https://h/c?sig=********"]),
    // Headers.
    (&["curl", "-H", "Authorization: Bearer abc"], &["curl", "-H", "Authorization: Bearer ********"]),
    (&["curl", "-H", "authorization: Basic abc=="], &["curl", "-H", "authorization: Basic ********"]),
    (&["curl", "-H", "Authorization:Bearer abc"], &["curl", "-H", "Authorization:Bearer ********"]),
    (&["curl", "-H", "Authorization: abc"], &["curl", "-H", "Authorization: ********"]),
    (&["curl", "-H", "Authorization: Digest u=\"a\", r=\"b\""], &["curl", "-H", "Authorization: Digest ********"]),
    (&["curl", "-HAuthorization: Bearer abc"], &["curl", "-HAuthorization: Bearer ********"]),
    (&["wget", "--header=Authorization: Bearer abc"], &["wget", "--header=Authorization: Bearer ********"]),
    (&["wget", "--header=X-Api-Key: abc"], &["wget", "--header=X-Api-Key: ********"]),
    (&["curl", "-H", "Proxy-Authorization: Basic abc"], &["curl", "-H", "Proxy-Authorization: Basic ********"]),
    (&["curl", "-H", "X-Api-Key: abc"], &["curl", "-H", "X-Api-Key: ********"]),
    (&["curl", "-H", "X-Vault-Token: abc"], &["curl", "-H", "X-Vault-Token: ********"]),
    // Flags of certain programs.
    (&["mysql", "-psecret", "db"], &["mysql", "-p********", "db"]),
    (
        &["/usr/bin/mysqldump", "-uroot", "-pabc", "-P", "3306"],
        &["/usr/bin/mysqldump", "-uroot", "-p********", "-P", "3306"],
    ),
    (&["mariadb-dump", "-p'a b'"], &["mariadb-dump", "-p********"]),
    (&["sudo", "-u", "root", "mysql", "-pabc"], &["sudo", "-u", "root", "mysql", "-p********"]),
    (
        &["timeout", "5", "env", "A=b", "mysqladmin", "-pabc"],
        &["timeout", "5", "env", "A=b", "mysqladmin", "-p********"],
    ),
    (&["docker", "exec", "-i", "db", "mysql", "-pabc"], &["docker", "exec", "-i", "db", "mysql", "-p********"]),
    (&["kubectl", "exec", "pod", "--", "mysql", "-pabc"], &["kubectl", "exec", "pod", "--", "mysql", "-p********"]),
    (&["sshpass", "-p", "abc", "ssh", "-p", "22", "h"], &["sshpass", "-p", "********", "ssh", "-p", "22", "h"]),
    (&["sshpass", "-pabc", "ssh", "-p22", "h"], &["sshpass", "-p********", "ssh", "-p22", "h"]),
    (&["curl", "-u", "user:abc", "h"], &["curl", "-u", "user:********", "h"]),
    (&["curl", "-uuser:abc", "h"], &["curl", "-uuser:********", "h"]),
    (&["curl", "-su", "user:abc", "h"], &["curl", "-su", "user:********", "h"]),
    (&["curl", "--user", "user:a:b", "h"], &["curl", "--user", "user:********", "h"]),
    (
        &["curl", "-U", "user:abc", "--proxy-user", "a:b"],
        &["curl", "-U", "user:********", "--proxy-user", "a:********"],
    ),
    (&["curl", "--pass", "abc", "h"], &["curl", "--pass", "********", "h"]),
    // Connection strings.
    (
        &["x", "DefaultEndpointsProtocol=https;AccountName=n;AccountKey=ab/c+d==;EndpointSuffix=e"],
        &["x", "DefaultEndpointsProtocol=https;AccountName=n;AccountKey=********;EndpointSuffix=e"],
    ),
    (
        &["x", "Endpoint=sb://h/;SharedAccessKeyName=Root;SharedAccessKey=abc="],
        &["x", "Endpoint=sb://h/;SharedAccessKeyName=Root;SharedAccessKey=********"],
    ),
    (
        &["x", "Server=s;User ID=u;Password=abc;Encrypt=true"],
        &["x", "Server=s;User ID=u;Password=********;Encrypt=true"],
    ),
    (&["x", "Password=a b;User ID=u;Pwd=c"], &["x", "Password=********;User ID=u;Pwd=********"]),
    (&["psql", "host=h password='a b' dbname=d"], &["psql", "host=h password=******** dbname=d"]),
    (&["npm", "--//registry.example/:_authToken=abc"], &["npm", "--//registry.example/:_authToken=********"]),
    (&["x", "UID=sa;PWD=abc;"], &["x", "UID=sa;PWD=********;"]),
    (&["mount", "-o", "username=u,password=abc,rw"], &["mount", "-o", "username=u,password=********"]),
    (&["mount", "-o", "password=abc,uid=1"], &["mount", "-o", "password=********,uid=1"]),
    (&["curl", "-d", "client_secret=abc&scope=x"], &["curl", "-d", "client_secret=********&scope=x"]),
    // JSON.
    (&["x", r#"{"password":"abc"}"#], &["x", r#"{"password":"********"}"#]),
    (&["x", r#"{"a": 1, "password": "a b", "c": "d e"}"#], &["x", r#"{"a": 1, "password": "********", "c": "d e"}"#]),
    (&["x", r#"{"password":"a\"b","c":2}"#], &["x", r#"{"password":"********","c":2}"#]),
    (&["x", r#"{"pin_secret":1234,"c":2}"#], &["x", r#"{"pin_secret":********,"c":2}"#]),
    (&["x", r#"{\"token\": \"a b\"}"#], &["x", r#"{\"token\": \"********\"}"#]),
    (&["x", "{'password': 'a'}"], &["x", "{'password': '********'}"]),
    (&["x", r#"{"Authorization": "Bearer abc"}"#], &["x", r#"{"Authorization": "Bearer ********"}"#]),
    (
        &["x", r#"{"credentials":{"user":"u","password":"p"}}"#],
        &["x", r#"{"credentials":{"user":"u","password":"********"}}"#],
    ),
    // Scripts and titles.
    (&["sh", "-c", "foo --password x y"], &["sh", "-c", "foo --password ******** y"]),
    (&["sh", "-c", "foo --password 'x y' z"], &["sh", "-c", "foo --password ******** z"]),
    (&["sh", "-c", "foo --password=\"x y\" z"], &["sh", "-c", "foo --password=******** z"]),
    (&["sh", "-c", "mysql -psecret db"], &["sh", "-c", "mysql -p******** db"]),
    (&["sh", "-c", "cd /x && mysql -p'a b' db; ls -pR"], &["sh", "-c", "cd /x && mysql -p******** db; ls -pR"]),
    (&["sh", "-c", "mysql -pabc; ls -pR&& y"], &["sh", "-c", "mysql -p********; ls -pR&& y"]),
    (&["sh", "-c", "x=$(mysql -pabc db); y"], &["sh", "-c", "x=$(mysql -p******** db); y"]),
    (&["sh", "-c", r#"ssh h \"mysql -pabc db\""#], &["sh", "-c", r#"ssh h \"mysql -p******** db\""#]),
    (&["bash", "-lc", "PGPASSWORD=abc psql -h h"], &["bash", "-lc", "PGPASSWORD=******** psql -h h"]),
    (&["sh", "-c", "export TOKEN=abc; x"], &["sh", "-c", "export TOKEN=********; x"]),
    (
        &["sh", "-c", "curl -H 'Authorization: Bearer abc' h"],
        &["sh", "-c", "curl -H 'Authorization: Bearer ********' h"],
    ),
    (&["sh", "-c", "curl --header=\"X-Api-Key: abc\" h"], &["sh", "-c", "curl --header=\"X-Api-Key: ********\" h"]),
    (&["sh", "-c", "curl -u 'user:a b' h"], &["sh", "-c", "curl -u 'user:********' h"]),
    (&["sh", "-c", "bash -c \"mysql -psecret db\" x"], &["sh", "-c", "bash -c \"mysql -p******** db\" x"]),
    (&["sh", "-c", "curl -d '{\"password\": \"a b\"}' h"], &["sh", "-c", "curl -d '{\"password\": \"********\"}' h"]),
    (&["worker: --password abc running"], &["worker: --password ******** running"]),
    (&["worker: don't --password abc isn't"], &["worker: don't --password ******** isn't"]),
    (&["x Authorization: Bearer abc y"], &["x Authorization: Bearer ******** y"]),
];

/// Command lines with secrets that are recognised by their form.
const SHAPED: &[(Arguments, Arguments)] = &[
    (&["x", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2ln-_1"], &["x", "********"]),
    (&["x", "--id=eyJhbGci.eyJzdWIi.c2ln", "y"], &["x", "--id=********", "y"]),
    (&["x", "use eyJhbGci.eyJzdWIi.c2ln."], &["x", "use ********."]),
    (&["x", "AKIAABCDEFGHIJKLMNOP"], &["x", "********"]),
    (&["x", "--key-id=AKIA0123456789ABCDEF,b"], &["x", "--key-id=********,b"]),
];

const UNTOUCHED: &[Arguments] = &[
    &[],
    &[""],
    &["", "", ""],
    &["cat", "/etc/passwd"],
    &["passwd"],
    &["passwd", "alice"],
    &["ssh-askpass", "Enter"],
    &["/usr/bin/secret-tool", "lookup", "a", "b"],
    &["git-credential-cache", "get"],
    &["vim", "secrets.txt"],
    &["x", "--password-file=/x"],
    &["x", "--password-file", "/x"],
    &["x", "--passwordFile=/x"],
    &["x", "-passwdfile", "/x"],
    &["x", "--secret-name", "foo"],
    &["x", "--secretId=foo"],
    &["x", "--password_path=/x"],
    &["x", "--token-dir", "/x"],
    &["docker", "login", "--password-stdin", "host"],
    &["chromium", "--password-store=basic"],
    &["pytest", "tests/test_password.py::test_reset", "-k", "token"],
    &["postgres: user db 10.0.0.1(5432) idle"],
    &["systemd-ask-password", "Password:"],
    &["gpg", "--passphrase-fd", "0"],
    &["x", "--access-token-ttl=60"],
    &["env", "AWS_ACCESS_KEY_ID=x"],
    &["env", "SSH_ASKPASS=/usr/bin/ssh-askpass"],
    &["env", "PASSWORD_STORE_DIR=/x"],
    &["env", "PWD=/home", "OLDPWD=/", "x"],
    &["singularity", "--pwd", "/work"],
    &["x", "--password"],
    &["x", "--password", "--verbose"],
    &["x", "--password", ""],
    &["x", "--password=", "y"],
    &["sh", "-c", "x --password='' y"],
    &["sh", "-c", "x --password | y"],
    &["psql", "--no-password", "db"],
    &["ansible-playbook", "--ask-pass", "site.yml"],
    &["x", "--max-tokens", "5"],
    &["x", "--token-count=5"],
    &["x", "--tokenizer", "bpe"],
    &["x", "--bypass=1", "--compass", "2"],
    &["ffmpeg", "-pass", "1"],
    &["x", "--key", "/x", "--keyring=y"],
    &["docker", "-v", "/etc/passwd:/etc/passwd:ro"],
    &["docker", "-v", "secrets:/run/secrets:ro"],
    &["docker", "-v", "/secret:/run/secret"],
    &["x", "volume:secret:ro"],
    &["x", "/var/secret=x/y"],
    &["curl", "secret-service:8080/health"],
    &["docker", "run", "secret-manager:latest"],
    &["docker", "run", "registry/x/token:1.2"],
    &["x", "secret::Store::open"],
    &["x", "token://path"],
    &["x", "https://host/p@q"],
    &["x", "https://host:8080/p@q"],
    &["x", "https://user@host/p"],
    &["x", "https://user:@host/p"],
    &["x", "https://host?a:b@c"],
    &["x", "git@host:repo"],
    &["mysql", "-p", "db"],
    &["mysql", "-P", "3306", "--port", "3306", "--protocol=tcp"],
    &["mysqld", "-port"],
    &["psql", "-p5432"],
    &["find", "/usr/bin/mysql", "-print"],
    &["sudo", "find", "/var/lib/mysql", "-print"],
    &["docker", "run", "--name", "mysql", "-p3306:3306", "mysql"],
    &["sshpass", "-e", "ssh", "-p", "22", "h"],
    &["sshpass", "-f", "/x", "ssh", "-p", "22", "h"],
    &["curl", "-u", "user", "h"],
    &["curl", "-su", "http://h"],
    &["curl", "-U", "user", "--proxy", "h:1"],
    &["docker", "run", "--user", "1000:1000", "curl"],
    &["openssl", "-passin", "env:VAR", "-passout", "file:/x"],
    &["x", "--authorization-mode=RBAC"],
    &["x", "sig=abc", "--sig=9"],
    &["x", "eyJhbGci.eyJzdWIi"],
    &["x", "keyJhbGci.a.b"],
    &["x", "AKIAABC"],
    &["x", "AKIAABCDEFGHIJKLMNOPQ"],
    &["x", r#"{"passwords":{"a":"b"},"password":""}"#],
    &["sh", "-c", "cat /etc/passwd | grep token"],
    &["sh", "-c", "echo secret: ; ls"],
    &["nginx: master process /usr/sbin/nginx"],
    &["x", "user:abc", "a=b"],
];

fn joined(arguments: &[&str]) -> Vec<u8> {
    arguments.iter().flat_map(|argument| argument.bytes().chain([0])).collect()
}

fn mask(arguments: &[u8]) -> Vec<u8> {
    Redactor::new(&[]).mask(arguments).into_owned()
}

fn shown(arguments: &[u8]) -> String {
    String::from_utf8_lossy(arguments).replace('\0', " ␀ ")
}

/// Every command line of these tables, and its masked form.
fn all() -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    let untouched = UNTOUCHED.iter().map(|arguments| (joined(arguments), joined(arguments)));
    MASKED.iter().chain(SHAPED).map(|(before, after)| (joined(before), joined(after))).chain(untouched)
}

#[test]
fn every_row_of_the_table() {
    let mut redactor = Redactor::new(&[]);
    let mut wrong = Vec::new();
    for (before, after) in all() {
        let masked = redactor.mask(&before);
        if masked != after {
            wrong.push(format!("{}\n   is {}\n   not {}", shown(&before), shown(&masked), shown(&after)));
        }
        assert_eq!(matches!(masked, Cow::Borrowed(_)), before == masked.as_ref(), "{}", shown(&before));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn masking_again_changes_nothing_and_no_argument_comes_or_goes() {
    for (before, after) in all() {
        assert_eq!(shown(&mask(&after)), shown(&after));
        let count = |text: &[u8]| memchr_iter(0, text).count();
        assert_eq!(count(&mask(&before)), count(&before), "{}", shown(&before));
    }
}

#[test]
fn every_secret_has_a_trigger() {
    let mut always = Redactor { quick: Quick::always(), ..Redactor::new(&[]) };
    let redactor = Redactor::new(&[]);
    let mut folded = Vec::new();
    for (before, after) in all() {
        assert_eq!(shown(&always.mask(&before)), shown(&after));
        if before != after {
            assert!(redactor.quick.has_trigger(&before, &redactor.rules, &mut folded), "{}", shown(&before));
        }
    }
}

#[test]
fn the_users_words_are_secret_too() {
    let words = ["Kennwort", "my-pin", "session_id", "mot_clé", ""].map(String::from);
    let mut redactor = Redactor::new(&words);
    for (before, after) in [
        (&["x", "--kennwort=abc"], &["x", "--kennwort=********"]),
        (&["x", "DB_KENNWORT_1=abc"], &["x", "DB_KENNWORT_1=********"]),
        (&["x", "--my-pin=1"], &["x", "--my-pin=********"]),
        (&["x", "--my_pin=1"], &["x", "--my_pin=********"]),
        (&["x", "--MyPin=1"], &["x", "--MyPin=********"]),
        (&["x", "--session-id=1"], &["x", "--session-id=********"]),
        (&["x", "mot-clé:1"], &["x", "mot-clé:********"]),
        (&["x", "--kennwort-file=/x"], &["x", "--kennwort-file=/x"]),
        (&["x", "--pin=1"], &["x", "--pin=1"]),
        (&["x", "--password=1"], &["x", "--password=********"]),
    ] {
        assert_eq!(shown(&redactor.mask(&joined(before))), shown(&joined(after)));
    }
    // The searcher cannot hold so many words. The rules then always run.
    let many: Vec<String> = (0..1000).map(|number| format!("w{number}w")).collect();
    assert_eq!(Redactor::new(&many).mask(b"x\0--w999w=1\0").as_ref(), b"x\0--w999w=********\0");
}

#[test]
fn bytes_of_any_kind_and_nuls_anywhere() {
    for (before, after) in [
        (b"x\xff\0--password=\xfe\xff\0\xc3".as_slice(), b"x\xff\0--password=********\0\xc3".as_slice()),
        (b"--password\0a", b"--password\0********"),
        (b"--password\0\0a", b"--password\0\0a"),
        (b"x --password a\0\0\0\0", b"x --password ********\0\0\0\0"),
        (b"http://u:p@h", b"http://u:********@h"),
        (b"http://u:p\0@h", b"http://u:p\0@h"),
        (b"\0\0password=a\0\0", b"\0\0password=********\0\0"),
        (b"Authorization:\0Bearer\0a\0", b"Authorization:\0Bearer\0********\0"),
        (b"{\"password\":\"a\0b\"}", b"{\"password\":\"********\0b\"}"),
        (b"password=\\", b"password=********"),
        (b"a password=\\", b"a password=********"),
    ] {
        assert_eq!(shown(&mask(before)), shown(after));
    }
}

#[test]
fn masking_hostile_lines_ends() {
    for piece in [
        "a",
        "=",
        ":",
        "\"",
        "'",
        "\\",
        "\\\"",
        "-",
        "://",
        "@",
        "eyJ",
        "eyJ-",
        "eyJ.",
        "AKIA",
        ";",
        "&",
        " ",
        "\0",
        "secret=",
        "secret=;",
        "secret=x;",
        "secret=\\\";",
        ";secret=\"",
        "secret:",
        "secret: ",
        "secret=x y;",
        "a ",
        "\"secret\":",
        "\"secret\": ",
        "\"secret\": \\\"",
        "\"secret\":'",
        "--secret ",
        "'\"",
        "\"'",
        "\"'\\",
        "\" '\\\" ",
        "mysql -p",
        "x@://u:",
        "curl -u ",
        "://u:p@h,",
        "Authorization: ",
        "sudo ",
        "a.b.",
        "\\\"' ",
        "secret=x,a b,",
    ] {
        for before in ["", "x\0\"", "x\0secret='"] {
            let long: String = before.chars().chain(piece.chars().cycle().take(144 * 1024)).collect();
            let masked = mask(long.as_bytes());
            assert_eq!(memchr_iter(0, &masked).count(), memchr_iter(0, long.as_bytes()).count());
        }
    }
}

proptest! {
    // Each case runs the whole table.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_secret_survives_in_a_shape_of_the_table(secret in "[A-Za-z0-9]{8,40}") {
        for (_, after) in MASKED {
            let line = shown(&joined(after)).replace(" ␀ ", "\0").replace("********", &secret);
            let masked = mask(line.as_bytes());
            prop_assert!(memmem::find(&masked, secret.as_bytes()).is_none(), "{} {}", line, shown(&masked));
        }
    }

}

proptest! {
    #[test]
    fn masking_any_line_again_changes_nothing(pieces in proptest::collection::vec(0..PIECES.len(), 0..14)) {
        let line: String = pieces.into_iter().map(|piece| PIECES[piece]).collect();
        let once = mask(line.as_bytes());
        prop_assert_eq!(shown(&mask(&once)), shown(&once), "{}", line);
        let mut always = Redactor { quick: Quick::always(), ..Redactor::new(&[]) };
        prop_assert_eq!(shown(&always.mask(line.as_bytes())), shown(&once));
    }
}

const PIECES: &[&str] = &[
    "a",
    "b c",
    "\0",
    " ",
    "=",
    ":",
    ";",
    "&",
    ",",
    "?",
    "/",
    "@",
    "-",
    "--",
    "\"",
    "'",
    "\\",
    "{",
    "}",
    "://",
    "mysql ",
    "password",
    "token",
    "pwd",
    "--secret",
    "Authorization",
    "Bearer ",
    "-p",
    "curl -u ",
    "sig=",
    "x=y",
    "sudo ",
    "eyJa.b.c",
    "sh\0-c\0",
    "********",
];

#[test]
fn what_is_hidden_is_told_secret_by_secret() {
    let mut redactor = Redactor::new(&[]);
    for (arguments, secrets) in [
        (b"x --token Secret1 --password=Secret2 y\0z\0".as_slice(), &[b"Secret1".as_slice(), b"Secret2"][..]),
        (b"x\0--token\0Secret1\0--db-password=Secret1\0", &[b"Secret1", b"Secret1"]),
        (b"x\0--token=short\0", &[]),
        (b"x\0y\0", &[]),
    ] {
        let masked = redactor.mask(arguments);
        assert_eq!(hidden(arguments, &masked), secrets, "{}", String::from_utf8_lossy(arguments));
    }
}
