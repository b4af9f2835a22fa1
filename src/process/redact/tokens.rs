//! The table of token shapes: secrets that are recognised by their own form, whatever the key. This is pure data.

/// What a token consists of after its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    /// Letters and digits.
    Alphanumeric,
    /// Capitals and digits.
    Capitals,
    /// Digits and a to f.
    Hex,
    /// Letters, digits, `_` and `-`.
    Base64Url,
    /// The same, and dots.
    Dotted,
    /// Letters, digits, `+`, `/` and `=`.
    Base64,
    /// Capitals, digits and `-`.
    Groups,
}

/// A token shape.
pub struct Token {
    /// Its beginnings, separated by blanks. Case counts.
    pub prefixes: &'static str,
    /// What follows.
    pub alphabet: Alphabet,
    /// The least number of characters after the prefix.
    pub least: usize,
    /// The number of characters if it is fixed, else 0.
    pub exactly: usize,
    /// Where the facts are from.
    #[cfg_attr(not(test), expect(dead_code, reason = "each row has one, so that readers can check it"))]
    pub source: &'static str,
}

const fn token(prefixes: &'static str, alphabet: Alphabet, least: usize, source: &'static str) -> Token {
    Token { prefixes, alphabet, least, exactly: 0, source }
}

const fn exact(prefixes: &'static str, alphabet: Alphabet, exactly: usize, source: &'static str) -> Token {
    Token { prefixes, alphabet, least: exactly, exactly, source }
}

const GITLEAKS: &str = "gitleaks' published rules";

/// A token of at least this many characters is long: the first, quick search finds it by its length. The prefix of a shorter
/// one has a trigger of that search.
pub const LONG: usize = 20;

/// The shapes.
pub const TOKENS: &[Token] = &[
    exact("AKIA ASIA", Alphabet::Capitals, 16, "AWS IAM: unique identifiers"),
    token("ghp_ gho_ ghu_ ghs_ ghr_", Alphabet::Alphanumeric, 30, "GitHub: token formats"),
    token("github_pat_", Alphabet::Base64Url, 22, "GitHub: token formats"),
    token(
        "glptt- glft- glcbt- glimt- glagent- gloas- glsoat- glffct- GR1348941",
        Alphabet::Dotted,
        20,
        "GitLab: token prefixes",
    ),
    token("glpat- glrt- gldt-", Alphabet::Dotted, 20, "GitLab: token prefixes"),
    token("xoxb- xoxp- xoxa- xoxr- xoxs- xoxe. xoxe- xapp- xwfp-", Alphabet::Dotted, 26, "Slack: token types"),
    token(
        "sk_live_ sk_test_ sk_prod_ rk_live_ rk_test_ rk_prod_ whsec_",
        Alphabet::Alphanumeric,
        24,
        "Stripe: API keys",
    ),
    token("sk-proj- sk-ant- sk-svcacct- sk-admin- sk-or-v1-", Alphabet::Base64Url, 24, "OpenAI, Anthropic: API keys"),
    token("sk-", Alphabet::Alphanumeric, 32, "OpenAI: API keys"),
    token("AIza", Alphabet::Base64Url, 30, "Google: API keys"),
    token("ya29.", Alphabet::Base64Url, 26, "Google: OAuth access tokens"),
    token("GOCSPX-", Alphabet::Base64Url, 24, "Google: OAuth client secrets"),
    token("SG.", Alphabet::Dotted, 32, "SendGrid: API keys"),
    token("xkeysib- xsmtpsib-", Alphabet::Base64Url, 32, GITLEAKS),
    token("npm_", Alphabet::Alphanumeric, 30, "npm: access tokens"),
    token("pypi-", Alphabet::Base64Url, 40, "PyPI: API tokens"),
    token("hf_ api_org_", Alphabet::Alphanumeric, 30, "Hugging Face: access tokens"),
    exact("s.", Alphabet::Alphanumeric, 24, "Vault: token prefixes"),
    exact("SK", Alphabet::Hex, 32, "Twilio: API keys"),
    token("hvs. hvb. hvr.", Alphabet::Base64Url, 27, "Vault: token prefixes"),
    token("dckr_pat_ dckr_oat_", Alphabet::Base64Url, 22, "Docker: access tokens"),
    token("glc_", Alphabet::Base64, 32, "Grafana: access policy tokens"),
    token("glsa_ eyJrIjoi", Alphabet::Base64Url, 27, "Grafana: service account tokens"),
    token("tskey- tskey-auth- tskey-api-", Alphabet::Base64Url, 12, "Tailscale: keys"),
    token("AGE-SECRET-KEY-1", Alphabet::Capitals, 40, "age(1)"),
    token("AGE-SECRET-KEY-", Alphabet::Base64Url, 20, "age(1)"),
    token("dop_v1_ doo_v1_ dor_v1_", Alphabet::Hex, 40, "DigitalOcean: token formats"),
    token("shpat_ shpss_ shpca_ shppa_", Alphabet::Hex, 32, "Shopify: access tokens"),
    token("sq0atp- sq0csp- sq0idp-", Alphabet::Base64Url, 22, "Square: access tokens"),
    token("NRAK- NRII- NRJS- NRAL- NRAA-", Alphabet::Base64Url, 26, "New Relic: API keys"),
    token("lin_api_ lin_oauth_", Alphabet::Alphanumeric, 32, "Linear: API keys"),
    token("ntn_ secret_", Alphabet::Alphanumeric, 40, "Notion: integration tokens"),
    token("PMAK-", Alphabet::Base64Url, 32, "Postman: API keys"),
    token("pul-", Alphabet::Hex, 40, "Pulumi: access tokens"),
    token("rubygems_", Alphabet::Hex, 40, "RubyGems: API keys"),
    token("sntrys_ sntryu_", Alphabet::Base64Url, 40, "Sentry: auth tokens"),
    token("figd_", Alphabet::Base64Url, 30, "Figma: access tokens"),
    token("fo1_ fm1_ fm1r_ fm2_ FlyV1", Alphabet::Base64Url, 40, "Fly.io: tokens"),
    token(
        "gsk_ r8_ xai- pplx- nvapi- csk- fw_ tgp_v1_",
        Alphabet::Base64Url,
        30,
        "Groq, Replicate, xAI and others: API keys",
    ),
    token("phc_ phx_", Alphabet::Alphanumeric, 30, "PostHog: API keys"),
    token("EZAK EZTK", Alphabet::Alphanumeric, 50, "EasyPost: API keys"),
    token("duffel_test_ duffel_live_", Alphabet::Base64Url, 30, "Duffel: access tokens"),
    token("FLWSECK_TEST- FLWSECK- FLWPUBK_TEST-", Alphabet::Base64Url, 26, "Flutterwave: keys"),
    token("LTAI", Alphabet::Alphanumeric, 16, "Alibaba Cloud: AccessKey"),
    token("AKID", Alphabet::Alphanumeric, 32, "Tencent Cloud: secret ids"),
    token("p8e-", Alphabet::Alphanumeric, 30, "Adobe: client secrets"),
    token("sgp_ slk_", Alphabet::Base64Url, 32, "Sourcegraph: access tokens"),
    token("CCIPAT_ CCIPRJ_", Alphabet::Base64Url, 30, "CircleCI: tokens"),
    token("ATATT3 ATCTT3 ATBB ATSTT3", Alphabet::Base64Url, 27, "Atlassian: API tokens"),
    token("dapi", Alphabet::Hex, 32, "Databricks: personal access tokens"),
    token("dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit.", Alphabet::Dotted, 30, "Doppler: token formats"),
    token("lsv2_pt_ lsv2_sk_", Alphabet::Base64Url, 30, "LangSmith: API keys"),
    token("ops_eyJ", Alphabet::Base64, 40, "1Password: service accounts"),
    token("A3-", Alphabet::Groups, 27, "1Password: secret keys"),
    token("tfp_", Alphabet::Dotted, 30, "Typeform: access tokens"),
    token("shippo_live_ shippo_test_", Alphabet::Hex, 30, "Shippo: API tokens"),
    token("pscale_tkn_ pscale_pw_ pscale_oauth_", Alphabet::Dotted, 30, "PlanetScale: tokens"),
    token("rdme_", Alphabet::Alphanumeric, 40, "ReadMe: API keys"),
    token("HRKU-", Alphabet::Base64Url, 30, "Heroku: tokens"),
    token("SWMTKN-1-", Alphabet::Base64Url, 30, "Docker: swarm join tokens"),
    token("sbp_ sb_secret_", Alphabet::Base64Url, 27, "Supabase: access tokens"),
    token("nfp_ nfc_ nfo_ nfu_", Alphabet::Alphanumeric, 30, "Netlify: tokens"),
    token("vcp_ vci_ vca_ vcr_ vck_", Alphabet::Alphanumeric, 30, "Vercel: tokens"),
    token("sl.", Alphabet::Base64Url, 60, "Dropbox: access tokens"),
    token("ABSK", Alphabet::Base64, 60, "Amazon Bedrock: API keys"),
    token("AQ.", Alphabet::Base64Url, 40, "Google Cloud: API keys"),
    token("bkua_ bkpt_", Alphabet::Alphanumeric, 30, "Buildkite: tokens"),
    token("cio_ clojars_ CLOJARS_", Alphabet::Alphanumeric, 40, "Clojars: deploy tokens"),
    token("dt0c01.", Alphabet::Dotted, 60, "Dynatrace: access tokens"),
    token("dG9rOj", Alphabet::Base64Url, 40, "Intercom: access tokens"),
    token("tk-us-", Alphabet::Base64Url, 30, "Scalingo: tokens"),
    token("test_ live_", Alphabet::Alphanumeric, 40, "Lob, GoCardless: API keys"),
    token("pat-na1- pat-eu1-", Alphabet::Base64Url, 30, "HubSpot: private apps"),
    token("cfut_ cfat_ cfk_", Alphabet::Base64Url, 30, "Cloudflare: tokens"),
    token("oy2", Alphabet::Alphanumeric, 43, "NuGet: API keys"),
    token("cosmic_ infr_ hvp. atlasv1.", Alphabet::Base64Url, 40, "HashiCorp: tokens"),
    token("mailchimp- key-", Alphabet::Hex, 32, "Mailgun: API keys"),
    token("aio_", Alphabet::Alphanumeric, 24, "Adafruit IO: keys"),
    token("artx_ AKCp cmVmd", Alphabet::Alphanumeric, 40, "Artifactory: API keys, reference tokens"),
    exact("pat", Alphabet::Dotted, 79, "Airtable: personal access tokens"),
    token("pat.", Alphabet::Dotted, 60, "Harness: API keys"),
    token("EAAM EAAC EAAG", Alphabet::Alphanumeric, 60, "Meta: access tokens"),
    token("fio-u-", Alphabet::Base64Url, 60, "Frame.io: developer tokens"),
    token("sha256~", Alphabet::Base64Url, 40, "OpenShift: OAuth tokens"),
    token("pnu_", Alphabet::Alphanumeric, 30, "Prefect: API keys"),
    token("sm_pat_ sm_aat_ sm_sat_", Alphabet::Alphanumeric, 16, "SettleMint: access tokens"),
    token("ico-", Alphabet::Alphanumeric, 30, GITLEAKS),
];

/// The path of a webhook, how many parts of the path after it are no secret, and where the facts are from.
pub const WEBHOOKS: &[(&str, usize, &str)] = &[
    ("hooks.slack.com/services/", 0, "Slack: incoming webhooks"),
    ("hooks.slack.com/workflows/", 0, "Slack: workflows"),
    ("hooks.slack.com/triggers/", 0, "Slack: workflows"),
    ("discord.com/api/webhooks/", 1, "Discord: webhooks"),
    ("discordapp.com/api/webhooks/", 1, "Discord: webhooks"),
    ("webhook.office.com/", 1, "Microsoft Teams: incoming webhooks"),
    ("outlook.office.com/webhook/", 0, "Microsoft Teams: incoming webhooks"),
    ("api.telegram.org/bot", 0, "Telegram: Bot API"),
    ("hooks.zapier.com/hooks/catch/", 1, "Zapier: webhooks"),
    ("maker.ifttt.com/trigger/", 2, "IFTTT: webhooks"),
    ("hc-ping.com/", 0, "Healthchecks: ping URLs"),
];
