//! The table of programs: which of their flags and operands have a secret value. This is pure data. A new program is one
//! row. `line` reads the table and knows no program.

/// Where the value of a flag is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// In the next word: `-p S`. A flag of several letters may also have it after `=`: `--pass=S`.
    Next,
    /// In the same word: `-pS`, `--password=S`.
    Attached,
    /// Either.
    Both,
}

/// Which part of a value is secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// All of it.
    Secret,
    /// `user:S`.
    AfterColon,
    /// `[type:]name:S`.
    AfterLastColon,
    /// `user%S`.
    AfterPercent,
    /// `user/S@database`.
    AfterSlash,
    /// `user,S`.
    AfterComma,
    /// `key=S`, whatever the key.
    AfterEquals,
    /// The first of two words: a key, whose value is the second one.
    Key,
    /// All of it, if it is no URL.
    Password,
    /// All of it, if it looks like a password.
    Token,
    /// Nothing, and it is no operand.
    Skip,
    /// Nothing, whatever the general rules say. The value may also be missing, so the next word is looked at by itself.
    Plain,
}

/// Flags of a program.
pub struct Rule {
    /// The flags, separated by blanks. Words without a dash are allowed: `password S`.
    pub flags: &'static str,
    /// Where their value is.
    pub takes: Takes,
    /// What of it is secret.
    pub form: Form,
    /// A word that must come before: a subcommand. Empty for none.
    pub after: &'static str,
}

/// Operands of a program that are secret: words without a dash.
pub struct Operands {
    /// The words before them, separated by blanks. Empty if the operands are counted from the program's name.
    pub after: &'static str,
    /// Letters that must be among the flags of one letter.
    pub letters: &'static str,
    /// Letters that must not be among them.
    pub without: &'static str,
    /// The number of the first secret operand, from 1.
    pub first: u8,
    /// The number of the last one.
    pub last: u8,
    /// What of them is secret.
    pub form: Form,
}

/// A row of the table.
pub struct Program {
    /// The names, separated by blanks.
    pub names: &'static str,
    /// Its flags.
    pub rules: &'static [Rule],
    /// Its operands.
    pub operands: &'static [Operands],
    /// Flags of one letter without a value, which may come before another letter: `-su user:S`.
    pub switches: &'static str,
    /// If it runs another program: the subcommand for that, empty for none, and how many operands follow before the program.
    /// The flags after that are no longer its own. `--` always ends its own flags.
    pub runs: &'static [(&'static str, u8)],
    /// Where the facts are from.
    #[cfg_attr(not(test), expect(dead_code, reason = "each row has one, so that readers can check it"))]
    pub source: &'static str,
}

const fn next(flags: &'static str) -> Rule {
    Rule { flags, takes: Takes::Next, form: Form::Secret, after: "" }
}

const fn both(flags: &'static str) -> Rule {
    Rule { flags, takes: Takes::Both, form: Form::Secret, after: "" }
}

const fn attached(flags: &'static str) -> Rule {
    Rule { flags, takes: Takes::Attached, form: Form::Secret, after: "" }
}

/// Flags with a harmless value in the next word, which is then no operand.
const fn skip(flags: &'static str) -> Rule {
    Rule { flags, takes: Takes::Next, form: Form::Skip, after: "" }
}

const fn plain(flags: &'static str) -> Rule {
    Rule { flags, takes: Takes::Both, form: Form::Plain, after: "" }
}

const fn operands(after: &'static str, first: u8, last: u8) -> Operands {
    Operands { after, letters: "", without: "", first, last, form: Form::Secret }
}

impl Rule {
    const fn form(self, form: Form) -> Self {
        Rule { form, ..self }
    }

    const fn after(self, after: &'static str) -> Self {
        Rule { after, ..self }
    }
}

impl Operands {
    const fn letters(self, letters: &'static str) -> Self {
        Operands { letters, ..self }
    }

    const fn without(self, without: &'static str) -> Self {
        Operands { without, ..self }
    }

    const fn form(self, form: Form) -> Self {
        Operands { form, ..self }
    }
}

const fn flags(names: &'static str, rules: &'static [Rule], source: &'static str) -> Program {
    Program { names, rules, operands: &[], switches: "", runs: &[], source }
}

const fn words(names: &'static str, operands: &'static [Operands], source: &'static str) -> Program {
    Program { names, rules: &[], operands, switches: "", runs: &[], source }
}

impl Program {
    const fn operands(self, operands: &'static [Operands]) -> Self {
        Program { operands, ..self }
    }

    const fn switches(self, switches: &'static str) -> Self {
        Program { switches, ..self }
    }

    const fn runs(self, runs: &'static [(&'static str, u8)]) -> Self {
        Program { runs, ..self }
    }
}

/// The programs.
pub const PROGRAMS: &[Program] = &[
    // Databases, caches and queues.
    flags(
        "mysql mysqlbinlog mysqlcheck mysqldump mysqlimport mysqlpump mysqlshow mysqlslap mysql_upgrade \
            mysqlsh mycli mariadb mariadb-binlog mariadb-check \
            mariadb-dump mariadb-import mariadb-show mariadb-slap mariadb-upgrade",
        &[attached("-p --password"), plain("-P")],
        "mysql(1): the password follows -p without a space; mariadb(1)",
    ),
    flags(
        "mysqladmin mariadb-admin",
        &[attached("-p --password"), plain("-P")],
        "mysqladmin(1): password NEW",
    )
    .operands(&[operands("password", 1, 1)]),
    flags(
        "xtrabackup mariadb-backup mariabackup mydumper myloader innobackupex",
        &[both("-p --password"), plain("-P")],
        "mydumper(1), xtrabackup(1)",
    ),
    flags(
        "psql pg_dump pg_dumpall pg_restore pg_basebackup pg_receivewal pg_isready pgbench createdb dropdb createuser \
            dropuser vacuumdb reindexdb clusterdb pgcli",
        &[plain("-p -U -W -w"), attached("--password").form(Form::Plain)],
        "psql(1): --password is a switch, -p is the port",
    ),
    flags(
        "mongo mongosh mongodump mongorestore mongoexport mongoimport mongostat mongotop mongofiles bsondump",
        &[both("-p")],
        "MongoDB's documentation of mongosh and the database tools",
    ),
    flags("cqlsh", &[next("-p")], "Apache Cassandra: cqlsh"),
    flags("nodetool sstableloader", &[next("-pw"), plain("-p -pwf")], "Apache Cassandra: nodetool"),
    flags("sqlcmd bcp osql tsql", &[both("-P"), plain("-p -U")], "Microsoft's documentation of sqlcmd and bcp; tsql(1)"),
    words("isql iusql", &[operands("", 3, 3)], "isql(1): DSN, user, password"),
    flags(
        "sqlplus sqlcl exp imp expdp impdp sqlldr rman",
        &[attached("userid= USERID=").form(Form::AfterSlash)],
        "Oracle Database Utilities: user/password@database",
    )
    .operands(&[operands("", 1, 9).form(Form::AfterSlash)]),
    flags("redis-cli valkey-cli keydb-cli redis-benchmark valkey-benchmark", &[next("-a --pass")], "redis-cli --help")
        .operands(&[
            operands("auth", 1, 2),
            operands("AUTH", 1, 2),
            operands("requirepass", 1, 1),
            operands("masterauth", 1, 1),
            operands("auth-pass", 2, 2),
        ]),
    words("redis-server redis-sentinel valkey-server", &[operands("auth-pass", 2, 2)], "redis.io: Sentinel"),
    flags("nats-server nats", &[both("--auth --pass --password")], "nats-server --help"),
    flags("couchbase-cli cbq cbbackupmgr cbimport cbexport cbstats", &[both("-p --password")], "Couchbase CLI reference"),
    flags("cypher-shell", &[both("-p")], "Neo4j: Cypher Shell"),
    words("neo4j-admin", &[operands("set-initial-password", 1, 1)], "Neo4j: neo4j-admin"),
    flags("influx", &[both("-t"), both("-p").after("user"), both("-p").after("setup")], "InfluxDB: influx CLI"),
    flags("clickhouse-client clickhouse", &[plain("--ask-password")], "ClickHouse: clickhouse-client"),
    flags("beeline", &[next("-p")], "Apache Hive: Beeline"),
    flags("rabbitmqadmin", &[both("-p"), plain("-P")], "RabbitMQ: Management Command Line Tool"),
    words(
        "rabbitmqctl",
        &[operands("add_user", 2, 2), operands("change_password", 2, 2), operands("authenticate_user", 2, 2)],
        "rabbitmqctl(8)",
    ),
    flags("mosquitto_pub mosquitto_sub mosquitto_rr", &[next("-P --pw"), plain("-p")], "mosquitto_pub(1)"),
    words("mosquitto_passwd", &[operands("", 3, 3).letters("b")], "mosquitto_passwd(1)"),
    // Directories, Windows and management protocols.
    flags(
        "ldapsearch ldapadd ldapmodify ldapdelete ldapmodrdn ldapcompare ldapwhoami ldapexop dsconf dsidm ldapvi",
        &[both("-w"), plain("-W -y -p -U -a -s -P")],
        "ldapsearch(1): -s is the scope there",
    )
    .switches("xvnZLMcC"),
    flags("slappasswd", &[both("-s"), plain("-h -u")], "slappasswd(8)"),
    flags("ipa-client-install ipa-server-install ipa-replica-install ipa-getkeytab ipa-join", &[both("-w -a --ds-password --admin-password"), plain("-p -P -U -u -n")], "ipa-client-install(1)"),
    flags("ldappasswd", &[both("-w -s -a"), plain("-W -y -S -T -A")], "ldappasswd(1)").switches("xvnZ"),
    flags("kadmin kadmin.local", &[next("-w")], "kadmin(1)"),
    flags(
        "addprinc ank cpw add_principal",
        &[next("-pw")],
        "kadmin(1): its commands, which -q has as an argument",
    ),
    flags(
        "smbclient rpcclient smbcacls smbcquotas smbget smbtree smbspool net winexe wmic samba-tool nmblookup wbinfo pth-winexe",
        &[
            both("-U --user --authentication-file").form(Form::AfterPercent),
            both("-a").form(Form::AfterPercent),
            plain("-p -P -A -N -l"),
        ],
        "smbclient(1): -U user%password; wbinfo(1): -a",
    )
    .operands(&[operands("user add", 2, 2)]),
    flags("smbmap crackmapexec cme netexec nxc evil-winrm", &[both("-p")], "the programs' --help"),
    flags("hydra medusa ncrack", &[both("-p"), plain("-P -L -l -U -u")], "hydra(1): -P is a file"),
    flags(
        "snmpget snmpwalk snmpset snmpgetnext snmpbulkget snmpbulkwalk snmptrap snmpinform snmptable snmpdf snmpstatus \
            snmpdelta snmptest snmpusm snmpvacm",
        &[both("-A -X -c"), plain("-a -x -u -l -n -p -P")],
        "snmpcmd(1)",
    ),
    flags("ipmitool", &[both("-P"), next("-k -y"), plain("-p -U -I -H -L")], "ipmitool(1)")
        .operands(&[operands("user set password", 2, 2), operands("user test", 3, 3)]),
    flags(
        "ipmipower ipmi-sensors ipmi-sel ipmi-chassis ipmi-config ipmi-fru bmc-info bmc-device ipmiconsole",
        &[both("-p -k"), plain("-P -u")],
        "FreeIPMI's manual pages",
    ),
    flags("xfreerdp xfreerdp3 wlfreerdp wlfreerdp3 sdl-freerdp", &[attached("/p: /gp: /pth:")], "xfreerdp(1)"),
    flags("transmission-remote", &[both("-n --auth").form(Form::AfterColon), plain("-p -u -l -a -w")], "transmission-remote(1)"),
    flags("rdesktop", &[both("-p"), plain("-P -u")], "rdesktop(1)"),
    flags("vncviewer xtightvncviewer xvnc4viewer", &[plain("-passwd --PasswordFile -PasswordFile")], "vncviewer(1): a file"),
    flags("x11vnc", &[next("-passwd -viewpasswd"), plain("-passwdfile -rfbauth")], "x11vnc(1)"),
    // Remote shells and transfers.
    flags("sshpass", &[both("-p"), plain("-P -f -d")], "sshpass(1)"),
    flags("ssh sftp slogin autossh mosh", &[plain("-p -P -l -a -w -W -u")], "ssh(1): -p is the port").runs(&[("", 1)]),
    flags("scp", &[plain("-p -P -l")], "scp(1)"),
    flags("ssh-keygen", &[next("-N -P"), plain("-p -l -u")], "ssh-keygen(1)"),
    flags("ssh-copy-id", &[plain("-p")], "ssh-copy-id(1)"),
    flags("plink pscp psftp puttytel", &[next("-pw"), plain("-P -p -pwfile")], "PuTTY's documentation: -pw"),
    flags(
        "curl",
        &[
            both("-u --user -U --proxy-user").form(Form::AfterColon),
            both("-E --cert --proxy-cert").form(Form::AfterColon),
            next("--pass --proxy-pass"),
            both("-b").form(Form::AfterEquals),
            plain("-p -P -w -k -a -A -x -l --proxy-key --key"),
        ],
        "curl(1)",
    )
    .switches("0123456aBfgGiIjJkLlMnNOpqRsSvVZ#"),
    flags(
        "http https xh xhs httpie",
        &[both("-a --auth").form(Form::AfterColon), plain("-A -p -P -w")],
        "HTTPie's documentation: authentication",
    )
    .switches("fjvhbIq"),
    flags("ab siege hey bombardier oha", &[both("-A -P -a").form(Form::AfterColon), plain("-p -u")], "ab(1)"),
    flags("lftp open", &[both("-u --user").form(Form::AfterComma), plain("-p")], "lftp(1)"),
    flags("ncftp ncftpput ncftpget ncftpls", &[both("-p"), plain("-P -u")], "ncftp(1)"),
    flags("nikto nikto.pl", &[next("-id").form(Form::AfterColon)], "nikto(1)"),
    flags("dig delv nsupdate mdig kdig knsupdate", &[both("-y").form(Form::AfterLastColon), plain("-p -u -k")], "dig(1): -y [hmac:]name:key"),
    flags("openconnect", &[both("-p"), plain("-u -U")], "openconnect(8)"),
    flags("openvpn", &[plain("--auth-user-pass --askpass --tls-auth --secret")], "openvpn(8): files"),
    flags("swaks", &[next("-ap --ap --auth-password"), plain("-p -au --au")], "swaks(1)"),
    flags("sendemail sendEmail", &[next("-xp"), plain("-u -xu")], "sendEmail --help"),
    flags("p4", &[both("-P"), plain("-p -u")], "Perforce: global options"),
    flags("swift", &[both("-K"), plain("-U")], "OpenStack: swift(1)"),
    flags("cadaver", &[plain("-p")], "cadaver(1)"),
    flags("jarsigner keytool", &[next("-storepass -keypass -new -srcstorepass -deststorepass")], "keytool(1)"),
    flags("openssl", &[next("-k -K -hmac"), plain("-p -P -key -inkey -pubkey -privkey")], "openssl-enc(1)")
        .operands(&[operands("passwd", 1, 1)]),
    flags("pkcs11-tool pkcs15-tool pkcs15-init", &[next("--pin --so-pin --new-pin --puk --auth-pin -p")], "pkcs11-tool(1)"),
    flags("softhsm2-util", &[next("--pin --so-pin")], "softhsm2-util(1)"),
    flags("ykman", &[next("--pin -P --new-pin --pin-policy")], "ykman(1)"),
    flags("veracrypt truecrypt", &[both("-p --password")], "VeraCrypt: command line usage"),
    // Archives and documents.
    flags("zip zipcloak zipnote", &[both("-P"), plain("-p -u")], "zip(1)"),
    flags("unzip funzip", &[both("-P"), plain("-p -u")], "unzip(1): -p is a pipe"),
    flags("7z 7za 7zr 7zz p7zip", &[attached("-p")], "7z(1)"),
    flags("rar unrar", &[attached("-p -hp")], "rar.txt: -p[password], -hp[password]"),
    flags("unar lsar", &[both("-p -password")], "unar(1)"),
    flags("fcrackzip", &[plain("--init-password -p -u -l")], "fcrackzip(1): where to begin"),
    flags(
        "pdftotext pdfinfo pdftoppm pdfimages pdftops pdftocairo pdftohtml pdffonts pdfdetach pdfsig pdfseparate",
        &[next("-upw -opw -nss-pwd")],
        "pdftotext(1)",
    ),
    flags("pdftk", &[next("input_pw owner_pw user_pw")], "pdftk(1)"),
    words("qpdf", &[operands("--encrypt", 1, 2)], "QPDF's manual: --encrypt user-password owner-password"),
    // Accounts and web servers.
    flags("htpasswd", &[plain("-p")], "htpasswd(1): -b FILE USER PASSWORD, with -n no FILE").operands(&[
        operands("", 2, 2).letters("bn"),
        operands("", 3, 3).letters("b").without("n"),
    ]),
    flags("useradd usermod groupadd groupmod", &[both("-p --password"), plain("-u -l -U")], "useradd(8)"),
    flags("mkpasswd", &[skip("-m -S -R -P --method --salt --rounds")], "mkpasswd(1)").operands(&[operands("", 1, 1)]),
    words("wpa_passphrase", &[operands("", 2, 2)], "wpa_passphrase(8)"),
    flags("caddy", &[next("--plaintext")], "Caddy: caddy hash-password"),
    flags("doveadm", &[both("-p").after("pw")], "doveadm-pw(1)").operands(&[operands("auth test", 2, 2)]),
    flags("saslpasswd2", &[plain("-p -u")], "saslpasswd2(8)"),
    words("echo", &[operands("", 1, 2).form(Form::Token)], "docker login --help: --password-stdin"),
    words("oathtool", &[operands("", 1, 2)], "oathtool(1)"),
    flags("transmission-daemon", &[plain("-p -u -a -w")], "transmission-daemon(1)"),
    words("steam steamcmd", &[operands("-login", 2, 2), operands("+login", 2, 2)], "Steam: command line options"),
    words("idevicebackup2", &[operands("encryption on", 1, 1), operands("changepw", 1, 2)], "idevicebackup2(1)"),
    words("networksetup", &[operands("-setairportnetwork", 3, 3)], "networksetup(8)"),
    words("create_ap", &[operands("", 4, 4).form(Form::Token), operands("", 3, 3).form(Form::Token)], "create_ap --help"),
    flags("netsh", &[attached("key=")], "netsh wlan"),
    flags("zpaq", &[attached("-k")], "zpaq(1)"),
    // Networks.
    flags("nmcli", &[next("password psk"), plain("-p")], "nmcli(1)"),
    flags("iwconfig iw", &[next("key enc")], "iwconfig(8)"),
    flags("wpa_cli", &[next("psk password")], "wpa_cli(8)"),
    flags("pppd chat", &[next("password")], "pppd(8)"),
    // Registries, clouds and secret stores.
    flags(
        "docker podman nerdctl docker-compose podman-compose",
        &[
            both("-p --password").after("login"),
            both("--creds").form(Form::AfterColon),
            plain("--secret").after("build"),
            plain("--secret").after("create"),
            plain("--secret").after("run"),
            plain("-u --user -p -P -l -a -w --hostname"),
        ],
        "docker login --help; docker run --help",
    )
    .runs(&[("exec", 1), ("run", 1)]),
    flags("az", &[plain("-l -a"), next("--value").after("secret")], "Azure CLI reference"),
    flags("oc helm crane oras regctl cf cosign", &[both("-p").after("login"), plain("-p -a -w -l")], "oc login --help and the like"),
    flags(
        "skopeo buildah",
        &[both("--creds --src-creds --dest-creds").form(Form::AfterColon), both("-p").after("login"), plain("-p")],
        "skopeo-copy(1), buildah-pull(1)",
    ),
    flags(
        "kubectl",
        &[
            both("--from-literal").form(Form::AfterEquals).after("secret"),
            plain("-u -p -l -w -n -k --from-file"),
        ],
        "kubectl create secret generic --help",
    )
    .runs(&[("exec", 1)]),
    flags(
        "vault bao",
        &[attached("secret_id= -dev-root-token-id="), both("-dev-root-token-id"), skip("-accessor -address -mount -path -method"), plain("-p")],
        "Vault's documentation: login, unwrap, AppRole",
    )
    .operands(&[
        operands("login", 1, 1),
        operands("unseal", 1, 1),
        operands("unwrap", 1, 1),
        operands("token lookup", 1, 1),
        operands("token revoke", 1, 1),
        operands("token renew", 1, 1),
    ]),
    words("consul", &[operands("acl set-agent-token", 2, 2)], "consul acl set-agent-token --help"),
    flags("aws", &[next("--value").after("put-parameter"), plain("-p -u")], "AWS CLI reference: ssm put-parameter"),
    flags("gh", &[both("-b --body").after("secret"), plain("-p -u -a -l")], "gh secret set"),
    flags("fly flyctl", &[], "fly secrets set").operands(&[operands("secrets set", 1, 99).form(Form::AfterEquals)]),
    flags("pulumi", &[plain("--secret")], "pulumi config set").operands(&[operands("config set --secret", 2, 2)]),
    words("mc mcli", &[operands("alias set", 3, 4), operands("config host add", 3, 4), operands("user add", 3, 3)], "MinIO Client"),
    flags("rclone", &[next("pass password2 secret_access_key")], "rclone config create").operands(&[operands("obscure", 1, 1)]),
    words("ngrok snyk", &[operands("authtoken", 1, 1), operands("add-authtoken", 1, 1), operands("auth", 1, 1)], "ngrok config; snyk auth"),
    words("bw", &[operands("login", 2, 2), operands("unlock", 1, 1)], "Bitwarden CLI"),
    words("virsh", &[operands("secret-set-value", 2, 2)], "virsh(1)"),
    flags("twine", &[both("-p"), plain("-u")], "twine upload --help"),
    flags("etcdctl", &[both("--user").form(Form::AfterColon)], "etcdctl --help")
        .operands(&[operands("user add", 1, 1).form(Form::AfterColon), operands("user add", 2, 2)]),
    flags("doctl codecov", &[both("-t --access-token")], "doctl --help; codecov --help"),
    flags("dotnet nuget", &[next("-ApiKey -apikey"), both("-k").after("push"), plain("-p -u -c -a")], "dotnet nuget push --help"),
    words("cargo", &[operands("login", 1, 1)], "cargo-login(1)"),
    flags("gcloud", &[plain("--secret -p -u -q --key")], "gcloud secrets: the name of a secret"),
    flags("conan", &[both("-p"), plain("-u -l")], "conan remote login --help"),
    words("bundle", &[operands("config", 1, 4).form(Form::AfterColon)], "bundle-config(1)"),
    words("composer", &[operands("config", 3, 3).form(Form::Password)], "Composer: http-basic"),
    flags("grafana-cli grafana", &[skip("--user-id --homepath --config")], "grafana cli --help")
        .operands(&[operands("reset-admin-password", 1, 1)]),
    flags("agent-auth", &[both("-P"), plain("-p -u")], "Wazuh: agent-auth"),
    flags("rcon rcon-cli", &[both("-P --password"), plain("-p")], "rcon --help"),
    flags("mcrcon", &[both("-p"), plain("-P")], "mcrcon --help"),
    flags("sonar-scanner", &[attached("-Dsonar.login= -Dsonar.password= -Dsonar.token=")], "SonarQube: analysis parameters"),
    flags("pwsh powershell", &[next("-Token -ApiKey -Password")], "PowerShell: common parameters of scripts"),
    flags("sipp", &[next("-ap")], "sipp(1)"),
    words("ConvertTo-SecureString", &[operands("", 1, 1)], "PowerShell: ConvertTo-SecureString"),
    flags("jq gojq jaq yq", &[next("--arg --argjson").form(Form::Key)], "jq(1)"),
    // Flags that mean something else, and operands that are no programs.
    flags(
        "sudo doas su runuser setpriv chroot systemd-run machinectl gosu nsenter unshare capsh pkexec",
        &[plain("-u -U --user -p -P -l -a -w --login")],
        "sudo(8): -u is the user of the program, -p the prompt",
    )
    .runs(&[("", 0)]),
    flags(
        "journalctl wget ffuf gobuster wfuzz dirb feroxbuster ps top htop pgrep pkill lsof fuser w who id last kill killall ss netstat iostat",
        &[plain("-u -U -p -P -l -w -a --user")],
        "ps(1): processes and users",
    ),
    flags(
        "cp mv mkdir rsync tar touch ls cpio date diff patch git sort wc mount umount make ninja bash sh dash \
            zsh read test jar go npm mvn gradle python python3 perl ruby node php gcc cc ld strace ltrace perf tcpdump",
        &[plain("-u -p -P -l -w -a -U")],
        "cp(1), git(1), bash(1) and so on: no users",
    ),
    flags("zenity kdialog yad", &[plain("--password --newpassword --text --title")], "zenity(1): a dialog"),
    flags("crontab atq at", &[plain("-u -l")], "crontab(1)"),
    flags("gpg gpg2", &[plain("-u -U -l -k -K -a -w -p")], "gpg(1)"),
];

/// Endings that the name of a program may have.
pub const ENDINGS: &str = ".py .sh .exe .pl .rb .bin";

/// Programs whose operands are files or names, not programs, until one of [`STARTERS`].
pub const READERS: &str = "find ls cat grep egrep fgrep rg ag vi vim nano less more tail head man which whereis type \
    apt apt-get apt-cache dpkg dnf yum rpm apk pacman pip pip3 npm brew snap systemctl service journalctl chown chmod cp \
    mv rm ln tar stat file du mkdir touch echo printf pgrep pkill killall";

/// Programs whose operand is a text to search for: `grep token: FILE` names no token.
pub const SEARCHERS: &str = "grep egrep fgrep zgrep rg ag pgrep";

/// Words after which there is a program again.
pub const STARTERS: &str = "-exec -execdir -ok -okdir --";

/// Long flags whose value is a name, and no program.
pub const NAMING_FLAGS: &str = "--name --hostname --network-alias --image --network --link --host --container-name \
    --service --unit --db --database --app --target --label --volume --container";

/// Flags that have a user as their value. A password flag of the same program is then no port.
pub const USER_FLAGS: &str =
    "-u -U -l --user --username --login --user-name -user -username -login --u --binddn --bind-dn /u /ru";

/// Short flags that have a password as their value beside a user.
pub const PASSWORD_FLAGS: &str = "-p -P -pw -w -K --pw --p /p /rp";

/// Short flags whose value is masked if it looks like a password.
pub const TOKEN_FLAGS: &str = "-k -s -t -S";

/// Flags whose value may be a user with a secret: `user:S`.
pub const AUTH_FLAGS: &str = "-a -b -c -C -n --basic -basic -A -d";

/// Flags whose value is a script.
pub const SCRIPT_FLAGS: &str = "-c -lc -ec -xc -ic -cl -ce -exc -lec -euxc -euc --command";

/// Words before a key and its value as two words: `config set KEY VALUE`.
pub const SETTERS: &str =
    "set config configure modify setenv setx export SET CONFIG --arg --argjson --setenv +set -set --env";
