//! The tables of words: which keys have a secret value, and which values are no secrets. This is pure data; `keys` and
//! `values` read it. Words are in lower case. A key is divided into words at `_`, `-`, `.`, and before capital letters.

/// How a word makes a key secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Wherever it is in the key, unless a harmless word follows: `DB_PASSWORD_OLD`.
    Anywhere,
    /// As the last word: `db_token`, but not `token_count`.
    Last,
    /// As the last word, if the value has the form of `user:S`, or looks random.
    Weak,
}

/// A word of keys.
pub struct Word {
    /// The word.
    pub word: &'static str,
    /// Where it must be.
    pub weight: Weight,
    /// Whether other letters may come before it without a boundary: `dbpass`.
    pub glued: bool,
    /// Where it is from.
    #[cfg_attr(not(test), expect(dead_code, reason = "each row has one, so that readers can check it"))]
    pub source: &'static str,
}

const fn word(word: &'static str, weight: Weight, glued: bool, source: &'static str) -> Word {
    Word { word, weight, glued, source }
}

const DATADOG: &str = "the Datadog Agent's default words";
const CURL: &str = "curl(1)";

/// Words that make a key secret.
pub const WORDS: &[Word] = &[
    word("password", Weight::Anywhere, true, DATADOG),
    word("passwd", Weight::Anywhere, true, DATADOG),
    word("passphrase", Weight::Anywhere, true, "gpg(1), BorgBackup"),
    word("passcode", Weight::Anywhere, true, "Apple's altool"),
    word("secret", Weight::Anywhere, true, DATADOG),
    word("secrets", Weight::Anywhere, false, DATADOG),
    word("passwords", Weight::Anywhere, true, DATADOG),
    word("credentials", Weight::Anywhere, true, DATADOG),
    word("credential", Weight::Last, true, "X-Amz-Credential"),
    word("creds", Weight::Weak, true, "skopeo-copy(1)"),
    word("cred", Weight::Weak, true, "sqlmap --help"),
    word("apikey", Weight::Anywhere, true, DATADOG),
    word("stripetoken", Weight::Anywhere, false, DATADOG),
    word("keypass", Weight::Anywhere, true, "keytool(1)"),
    word("storepass", Weight::Anywhere, true, "keytool(1)"),
    word("requirepass", Weight::Last, false, "redis.conf"),
    word("masterauth", Weight::Last, false, "redis.conf"),
    word("sshpass", Weight::Last, false, "sshpass(1)"),
    word("token", Weight::Last, true, DATADOG),
    word("pass", Weight::Last, true, CURL),
    word("pwd", Weight::Last, true, DATADOG),
    word("pw", Weight::Last, true, "mosquitto_pub(1)"),
    word("pin", Weight::Last, false, "pkcs11-tool(1)"),
    word("otp", Weight::Last, false, "npm-publish(1)"),
    word("psk", Weight::Last, false, "wpa_supplicant.conf(5)"),
    word("jwt", Weight::Last, false, "RFC 7519"),
    word("bearer", Weight::Last, false, CURL),
    word("cookie", Weight::Last, true, CURL),
    word("signature", Weight::Last, false, "AWS and Google Cloud: presigned URLs"),
    word("accesskey", Weight::Anywhere, true, "AWS CLI reference"),
    word("authkey", Weight::Last, true, "tailscale up --help"),
    word("secretkey", Weight::Last, true, "MinIO"),
    word("privatekey", Weight::Last, true, "openssl(1)"),
    word("accountkey", Weight::Last, true, "Azure Storage connection strings"),
    word("auth", Weight::Weak, true, "ncat(1), HTTPie"),
    word("userpwd", Weight::Weak, true, "libcurl"),
    word("sessionid", Weight::Weak, true, "RFC 6265"),
    word("key", Weight::Weak, false, "Google's APIs: ?key="),
    word("code", Weight::Weak, false, "OAuth 2: authorization codes"),
];

/// Words before `key`, or before a `key` without a boundary, that make it secret: keys that sign, encrypt or authorise.
pub const KEY_WORDS: &str = "api access account private secret auth authorization authentication encryption encrypt \
    decrypt decryption encipher signing sign signature hmac master application app license licence service storage \
    shared crypto cipher aes webhook integration ingest ingestion unseal recovery enc jwt cookie session hash admin write \
    deploy dd newrelic datadog functions function instrumentation vault transit wrapping derivation activation \
    registration join setup sas subscription consumer bot agent tunnel mac seal snmp wep wpa preshared psk stripe openai sendgrid \
    mailgun segment algolia anthropic gemini cohere huggingface";

/// Keys that are longer words and no secrets: `ssh-askpass`, `--bypass`.
pub const NO_SECRETS: &str = "bypass compass encompass trespass overpass underpass surpass multipass singlepass lowpass \
    highpass bandpass onepass twopass firstpass keepass lastpass askpass allpass nopass gopass nopasswd nopassword \
    detoken existingsecret oauth eauth preauth noauth unauth reauth autoauth maxpass minpass numpass";

/// Words at the end of a key whose value is not the secret: it tells where the secret is, of which kind, or for how long.
pub const HARMLESS_ENDINGS: &str = "file files filename path paths name names id ids dir directory folder stdin fd prompt \
    prompts store stores ttl type types length len size min max minimum maximum policy policies command cmd program \
    expiry expires expiration expire expired days hours seconds minutes age date time timeout lifetime duration interval \
    period count counts num number limit limits attempts retries tries threshold strength score cost rounds iterations \
    authentication auth authenticator encryption encrypted encryptor encoding encoded hashing algorithm algorithms alg \
    cipher scheme mode method methods format formats version versions provider providers manager backend engine class \
    classname helper helpers service services server servers env var vars variable variables field fields column columns \
    attribute attributes label labels title header headers hint question regex pattern group groups role roles user users \
    username owner account email url uri urls uris endpoint endpoints host hosts port address addr domain realm issuer \
    audience scope scopes ref refs reference arn region location source sources driver plugin plugins module modules \
    package check checks checker validation validate validator verification verify rotation rotate rotations history reuse \
    required require requires enabled enable disabled disable allowed allow support supported change changes changed \
    reset resets recovery generator generation template templates config configuration cache caching refresh leeway \
    bits usage uses status state protection safe box dialog entry input output line lines test tests page pages form \
    eval less quality complexity similarity digits chars character characters letters case mount mounts volume volumes \
    namespace namespaces annotation index indexes table tables list lists map maps set sets prefix suffix delimiter \
    separator extension ext fingerprint thumbprint fallback cookies tokens limiter bucket key_file stdout";

/// Words at the beginning of a flag that takes no secret: it does something with secrets.
pub const VERBS: &str = "no not ask export import show rotate list generate gen reset delete remove revoke use allow enable disable \
    require requires validate verify check has is skip hide print get read want prompt edit without create save \
    remember forget update copy dump unset clear expire ignore disallow permit accept reject restrict max min \
    number num count keep strip omit display view inspect describe purge recv send search find scan detect mask \
    redact empty existing reuse inherit expose pipe trust newer";

/// Values that are no secrets, whatever the key.
pub const HARMLESS_VALUES: &str = "true false yes no on off none null nil undefined y n enable enabled disable disabled \
    default auto prompt ask always never required optional basic digest ntlm negotiate kerberos md5 scram-sha-256 \
    plain login public stdin - env keyring keychain drop simple kwallet secretservice pass gnome osxkeychain wincred \
    keep redacted clear";

/// Beginnings of values that tell where the secret is.
pub const SOURCES: &str = "env: file: fd: file:// op:// arn: vault: stdin: keyring: ssm:// awssm:// gcpsm:// id= \
    projects/ src= type= jwt, jwt: ${{ %{ {{";

/// Beginnings of values that hold the secret after them.
pub const OPENINGS: &str = "pass: password: ";

/// Directories at the top of a file system, without which a value that begins with `/` may be base64.
pub const TOP_DIRECTORIES: &str = "app apps bin boot builds cache cert certs ca conf config configs creds credentials data \
    dev etc home host key keys lib lib64 media mnt mount nix opt path private proc project projects repo root run \
    secret secrets share shared snap src srv ssl sys tls tmp tools usr Users users var vault vol volume volumes work \
    workdir workspace x";

/// Ends of the names of files that hold keys.
pub const FILE_ENDINGS: &str = ".pem .key .json .p12 .pfx .crt .cer .der .pub .asc .gpg .jks .txt .yaml .yml .env .conf \
    .cfg .ini .keytab .kdbx .toml .xml .id_rsa .ppk .p8 .csr .bin .rsa .ed25519 .php .py .rb .js .ts .go .rs .java";

/// The key of a header whose value begins with a scheme.
pub const AUTHORIZATION: &str = "authorization";

/// The words before the credential in such a header.
pub const SCHEMES: &str = "apikey api-key basic bearer digest negotiate token splunk genie-key genieky snowflake key \
    ssws hmac aws4-hmac-sha256 dpop jwt oauth";

/// Two words, of which the second one is before a password, and whether that must be quoted: SQL's `IDENTIFIED BY 'S'`,
/// `login USER password S` of netrc(5).
pub const PHRASES: &[(&str, &str, bool)] = &[("identified", "by", true), ("login", "password", false)];

/// Subcommands whose operand may be a token.
pub const LOGINS: &str = "login authtoken add-authtoken token auth authorize";

/// What the value of a flag such as `-p` is beside a user, if it is no password: protocols, levels.
pub const NO_PASSWORDS: &str = "tcp udp sctp icmp unix inet inet6 local any all emerg alert crit err error warning warn notice \
    info debug trace verbose high low normal none default dev prod staging test";

/// Words before `token` that make it a mark in a text, not a secret.
pub const MARK_TOKENS: &str = "eos bos pad special unk sep cls mask stop end start fim eot image audio think csrf";

/// Keys of a pair of pairs: `{"name": "DB_PASSWORD", "value": "S"}`.
pub const NAME_KEYS: &str = "name key parameterkey variable env header";

/// The keys of the values of such pairs.
pub const VALUE_KEYS: &str = "value parametervalue val";

/// Keys that are secret only in the query of a URL.
pub const QUERY_KEYS: &str = "sig code key auth access_key s hash hmac";

/// The words before a colon that are no user: `sip:user@host`.
pub const NO_USERS: &str = "mailto sip sips xmpp npm pkg acct im jabber tel github gitlab gist file workspace patch \
    docker oci image docker-image";
