//! Certificates for the peers that speak TLS: an authority and one certificate for each side, made
//! by `openssl`.

use ockam_actix_harness::{installed::installed, scratch::Scratch};
use std::{
    fs, io,
    path::PathBuf,
    process::{Command, Stdio},
};

/// Files that both sides are configured with; keys are on the curve P-256.
pub(crate) struct Certificates {
    /// Certificate of the authority that both sides trust, and no other.
    pub(crate) authority: PathBuf,
    /// The entry's certificate and key in one file.
    pub(crate) entry: PathBuf,
    /// The exit's certificate and key in one file.
    pub(crate) exit: PathBuf,
}

impl Certificates {
    /// Generates them in `scratch`.
    pub(crate) fn generate(scratch: &Scratch) -> io::Result<Self> {
        run(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
             -subj /CN=authority -keyout authority.key -out authority.pem",
            scratch,
        )?;
        for side in ["entry", "exit"] {
            let request = format!(
                "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={side} \
                 -keyout {side}.key -out {side}.csr"
            );
            run(&request, scratch)?;
            let signature = format!(
                "x509 -req -in {side}.csr -CA authority.pem -CAkey authority.key \
                 -CAcreateserial -days 2 -out {side}.crt"
            );
            run(&signature, scratch)?;
            let both = ["crt", "key"]
                .map(|part| fs::read_to_string(scratch.path(&format!("{side}.{part}"))));
            let [certificate, key] = both;
            scratch.write(&format!("{side}.pem"), &(certificate? + &key?))?;
        }
        Ok(Self {
            authority: scratch.path("authority.pem"),
            entry: scratch.path("entry.pem"),
            exit: scratch.path("exit.pem"),
        })
    }
}

fn run(arguments: &str, scratch: &Scratch) -> io::Result<()> {
    let mut command = Command::new(installed("openssl")?);
    command.args(arguments.split(' ')).current_dir(scratch.directory()).stdin(Stdio::null());
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(format!("openssl {arguments}: {}", said.trim())))
}
