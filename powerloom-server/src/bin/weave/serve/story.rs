//! What `--dev` tells whoever started it.

use crate::serve::dev::Made;
use serde_json::json;
use std::io::Write as _;

/// Writes the story, or one line of JSON, to stdout. The token is shown here and nowhere else.
pub(crate) fn tell(made: &Made, url: &str, runtime: &str, as_json: bool) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    let (org, token) = (&made.organization, made.token.reveal());
    if as_json {
        let line = json!({
            "url": url, "token": token, "token_expires_at": made.token.expires_at(),
            "organization": made.slug, "organization_id": org.id, "root_ou_id": org.root_ou,
            "admin": made.admin, "admin_id": org.admin, "folder": made.folder,
        });
        writeln!(stdout, "{line}")?;
        return stdout.flush();
    }
    let agent = json!({
        "name": "hello", "ou_id": org.root_ou, "agent_kind": "user", "owner_principal_id": org.admin,
        "model": "claude-sonnet-4-6", "system_prompt": "Answer briefly.",
    });
    write!(
        stdout,
        "Powerloom listens on {url}

  organization   {slug}  {id}
  root OU        /{slug}  {root}
  administrator  {admin}  {admin_id}
  runtime        {runtime}
  kept in        {folder}

export POWERLOOM_URL={url}
export POWERLOOM_TOKEN={token}

The token is good until {until}; another one: weave token mint --dev --folder {folder} --org {slug} --user {admin}

Declare an agent:
curl -sS \"$POWERLOOM_URL/agents\" -H \"Authorization: Bearer $POWERLOOM_TOKEN\" -d '{agent}'

Ctrl-C ends it; the same command goes on where it was.
",
        slug = made.slug,
        id = org.id,
        root = org.root_ou,
        admin = made.admin,
        admin_id = org.admin,
        folder = made.folder.display(),
        until = made.token.expires_at(),
    )?;
    stdout.flush()
}
