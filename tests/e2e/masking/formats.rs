//! Tokens that no key announces, made from their formats, and private keys.

use std::collections::BTreeMap;

use super::redact;
use super::table::lines;

/// A made-up token of a format, always the same for the same `seed`.
fn token(format: &str, seed: usize) -> String {
    let mut token = String::new();
    let mut state = u64::try_from(seed).unwrap() + 7;
    let mut rest = format;
    while let Some((literal, after)) = rest.split_once('{') {
        let (part, after) = after.split_once('}').unwrap();
        let (alphabet, length) = part.split_once(':').unwrap();
        token.push_str(literal);
        token.push_str(&text(alphabet, length.parse().unwrap(), &mut state));
        rest = after;
    }
    token + rest
}

fn text(alphabet: &str, length: usize, state: &mut u64) -> String {
    let upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let lower = upper.to_lowercase();
    let digits = "0123456789";
    let alphanumeric = format!("{upper}{lower}{digits}");
    let all = match alphabet {
        "a" => alphanumeric.clone(),
        "w" => format!("{alphanumeric}_-"),
        "b" => format!("{alphanumeric}+/"),
        "l" => format!("{lower}{digits}"),
        "z" => format!("{upper}{lower}"),
        "h" => format!("{digits}abcdef"),
        "H" => format!("{upper}{digits}"),
        "u" => format!("{upper}234567"),
        "d" => digits.to_owned(),
        "q" => "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L".to_owned(),
        other => panic!("alphabet {other}"),
    };
    let mut next = |all: &str| {
        // Numerical Recipes' generator.
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let place = usize::try_from(*state >> 33).unwrap() % all.len();
        all[place..].chars().next().unwrap()
    };
    // A token does not end in punctuation: a scanner, too, would not see that it belongs to it.
    let ends = if alphabet == "w" || alphabet == "b" { alphanumeric.as_str() } else { all.as_str() };
    (0..length).map(|place| next(if place == 0 || place + 1 == length { ends } else { &all })).collect()
}

#[test]
fn tokens_of_all_formats_are_masked_without_a_key() {
    let formats = lines("tokens.txt");
    assert!(formats.len() >= 90);
    let (mut secrets, mut input) = (Vec::new(), Vec::new());
    for (number, row) in &formats {
        let (name, format) = row.split_once(' ').unwrap();
        let token = token(format, *number);
        for line in [
            format!("prog {token} next"),
            format!("prog --id={token}"),
            format!("sh -c 'prog \"{token}\" a; true {token}'"),
            format!("prog '{{\"a\":\"{token}\",\"b\":1}}'"),
            format!("prog 'see {token}, please'"),
        ] {
            secrets.push((name, token.clone()));
            input.push(line);
        }
    }
    let masked = redact(&[], &input);
    // The beginning tells the kind of token, and may stay. The rest is the secret.
    let shown = |token: &str, masked: &str| {
        let tail = &token[token.len() - token.len().min(12)..];
        masked.contains(tail)
    };
    let wrong = secrets.iter().zip(&masked).filter(|((_, token), masked)| shown(token, masked));
    // One line for each format.
    let wrong: BTreeMap<_, _> = wrong.map(|((name, _), masked)| (name, masked)).collect();
    assert!(wrong.is_empty(), "{} formats: {wrong:#?}", wrong.len());
    for masked in &masked {
        assert!(masked.starts_with("prog ") || masked.starts_with("sh -c "), "{masked}");
    }
}

/// The same beginnings with too little after them are words.
#[test]
fn beginnings_of_tokens_stay() {
    let formats = lines("tokens.txt");
    let mut input: Vec<String> = Vec::new();
    for (_, row) in &formats {
        let prefix = row.split_once(' ').unwrap().1.split('{').next().unwrap();
        if !prefix.is_empty() && !prefix.contains("://") {
            input.push(format!("prog {prefix} {prefix}x a-{prefix}-b"));
        }
    }
    assert_eq!(redact(&[], &input), input);
}

/// RFC 7468. The text between the lines BEGIN and END is masked, however the lines are separated.
#[test]
fn private_keys_are_masked() {
    let mut state = 1;
    let body: Vec<String> = (0..3).map(|_| text("b", 64, &mut state)).collect();
    for kind in
        ["PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "PGP PRIVATE KEY BLOCK"]
    {
        for separator in ["\\n", " ", "\\\\n"] {
            let block = format!(
                "-----BEGIN {kind}-----{separator}{}{separator}-----END {kind}-----{separator}",
                body.join(separator)
            );
            let input = [
                format!("prog $'{block}' next"),
                format!("prog --data=$'{block}'"),
                format!("sh -c $'echo \"{block}\" > f; ls'"),
                format!("prog $'{{\"private_key\":\"{block}\",\"x\":1}}'"),
                // Cut: the end is missing.
                format!("prog $'{}'", block.split("-----END").next().unwrap()),
            ];
            for (line, masked) in input.iter().zip(redact(&[], &input)) {
                for part in &body {
                    assert!(!masked.contains(&part[..32]) && !masked.contains(&part[32..]), "{line}\n{masked}");
                }
            }
        }
    }
    let public = ["prog '-----BEGIN CERTIFICATE----- MIIB -----END CERTIFICATE-----'".to_owned()];
    assert_eq!(redact(&[], &public), [public[0].replace('\'', "")]);
}
