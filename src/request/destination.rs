//! What was typed about where records go, made into a destination: standard output, files, or a receiver.

use std::fs;
use std::path::PathBuf;

use crate::cli::shared::{Format, ForwardOptions, OutputOptions};
use crate::cli::value::OutputValue;
use crate::host::hostname;
use crate::sink::Destination;
use crate::sink::file::Files;
use crate::sink::forward::{Address, Patience, Receiver, Shared, SharedKey, Tls};
use crate::sink::retention::Keep;

/// The permissions of a new file: command lines are sensitive.
const FILE_MODE: u32 = 0o640;

/// Where the records of this kind go.
///
/// # Errors
/// A sentence for the user: what cannot be, or does not go together.
pub fn of(asked: &OutputOptions, format: Format, kind: &str, patience: Patience) -> Result<Destination, String> {
    if let Some(address) = &asked.forward.forward {
        return Ok(Destination::Forward(Box::new(receiver(address, kind, &asked.forward, patience)?)));
    }
    let Some(OutputValue::Files(pattern)) = asked.output.clone() else {
        if asked.keep.is_some() || asked.keep_size.is_some() || asked.file_mode.is_some() {
            return Err("--keep, --keep-size and --file-mode are for files, and --output - is standard output".into());
        }
        return Ok(Destination::Stdout);
    };
    if format == Format::Array {
        return Err("--format array cannot be used with --output, which appends; use --format json or csv".into());
    }
    let keep = Keep { age: asked.keep, size: asked.keep_size };
    if keep != Keep::default() && !pattern.is_dated() {
        let option = if keep.age.is_some() { "--keep" } else { "--keep-size" };
        return Err(format!(
            "{option} finds files by the date in their names; {pattern} has no full date, such as %Y-%m-%d, or %s"
        ));
    }
    Ok(Destination::File(Files { pattern, mode: asked.file_mode.unwrap_or(FILE_MODE), keep }))
}

fn receiver(address: &Address, kind: &str, asked: &ForwardOptions, patience: Patience) -> Result<Receiver, String> {
    let key = |path: &PathBuf| {
        let text = fs::read(path).map_err(|error| format!("--shared-key-file {}: {error}", path.display()))?;
        let key = text.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
        if key.is_empty() {
            Err(format!("--shared-key-file {}: its first line is empty", path.display()))
        } else {
            Ok(SharedKey(key.into()))
        }
    };
    let (authorities, own) = (asked.ca_file.as_deref(), asked.cert_file.as_deref());
    let has_tls = matches!(address, Address::Tls(..));
    if !has_tls && (authorities.is_some() || own.is_some()) {
        return Err(format!("--ca-file and --cert-file are for TLS: use --forward tls:HOST:PORT, not {address}"));
    }
    Ok(Receiver {
        address: address.clone(),
        tls: has_tls.then(|| Tls::new(authorities, own)).transpose()?,
        tag: asked.tag.clone().unwrap_or_else(|| format!("procline.{kind}")),
        key: asked.shared_key_file.as_ref().map(key).transpose()?,
        // A receiver on this machine has the machine's name.
        hostname: format!("procline@{}", hostname()),
        acknowledges: !asked.no_ack,
        patience,
        shared: Shared::default(),
    })
}
