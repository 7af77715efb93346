//! The files of an upload: as JSON, as the parts of a form, or in a zip archive.

mod archive;

use crate::app::App;
use crate::failure::Failure;
use crate::input::{Held, is_json, media_type, parse_aside, read_body};
use archive::unzip;
use axum::body::{Body, Bytes};
use axum::extract::multipart::{Multipart, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use powerloom_core::door::mutation::UploadedFile;
use powerloom_core::error::Error;
use powerloom_core::invalid::{Invalid, shown};
use serde::Deserialize;
use std::collections::HashSet;
use utoipa::ToSchema;

/// An upload as JSON.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SkillUpload)]
#[serde(deny_unknown_fields)]
pub(crate) struct Files {
    /// All files: at most 30 MiB together.
    #[schema(min_items = 1, max_items = 2000)]
    files: Vec<UploadedFile>,
}

/// An upload as a form.
#[derive(Debug, ToSchema)]
#[schema(as = SkillUploadForm)]
#[expect(dead_code, reason = "it describes; the parts are read one by one")]
pub(crate) struct Form {
    /// The files, whatever their parts are called: a part's filename is the file's path. One zip archive alone is unpacked.
    #[schema(value_type = Vec<String>, format = Binary, min_items = 1)]
    files: Vec<u8>,
    /// Paths of files that may be executed.
    #[schema(required = false)]
    executable: Vec<String>,
}

/// An upload as a zip archive.
#[derive(Debug, ToSchema)]
#[schema(as = SkillUploadArchive, value_type = String, format = Binary)]
#[expect(dead_code, reason = "it describes; the bytes are read as they are")]
pub(crate) struct Archive(Vec<u8>);

/// The files of an upload; of what they are, the core judges. With the room they take, to be held as long as they are.
#[derive(Debug)]
pub(crate) struct Upload(pub(crate) Vec<UploadedFile>, pub(crate) Held);

impl FromRequest<App> for Upload {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failure> {
        let found = media_type(request.headers());
        let (parts, body) = request.into_parts();
        let known = found
            .as_deref()
            .is_none_or(|found| is_json(Some(found)) || is_zip(found) || found == "multipart/form-data");
        if !known {
            let allowed = "`multipart/form-data`, `application/zip` or `application/json`";
            return Err(Failure::MediaType { found: shown(&found.unwrap_or_default()), allowed });
        }
        let most = app.config.bounds.upload_bytes;
        let held = app.room.take(&parts.headers, most).await?;
        let body = read_body(body, most).await?;
        match found.as_deref() {
            Some("multipart/form-data") => {
                let files = form(app, Request::from_parts(parts, Body::from(body))).await?;
                Ok(Self(files, held))
            }
            Some(zip) if is_zip(zip) => Ok(Self(unpacked(app, body).await?, held)),
            _ => parse_aside::<Files>(body, held).await.map(|(upload, held)| Self(upload.files, held)),
        }
    }
}

fn is_zip(media_type: &str) -> bool {
    matches!(media_type, "application/zip" | "application/x-zip-compressed")
}

/// The files of a zip archive. Unpacking takes a while: not on a thread that others wait for.
async fn unpacked(app: &App, body: Bytes) -> Result<Vec<UploadedFile>, Failure> {
    let limits = app.loom.limits().clone();
    let files = tokio::task::spawn_blocking(move || unzip(&body, &limits)).await;
    Ok(files
        .map_err(|error| Error::Internal { message: format!("an archive cannot be unpacked: {error}") })??)
}

/// The files of a form.
async fn form(app: &App, mut request: Request) -> Result<Vec<UploadedFile>, Failure> {
    // It is all here already, within the bound of uploads.
    DefaultBodyLimit::disable().apply(&mut request);
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|_| Invalid::hidden("content-type", "`multipart/form-data` with its boundary"))?;
    let most = app.loom.limits().skill_files;
    let mut files: Vec<UploadedFile> = Vec::new();
    let mut executable: Vec<String> = Vec::new();
    let mut archive = None;
    while let Some(part) = form.next_field().await.map_err(|error| torn(&error))? {
        let zipped = part.content_type().is_some_and(is_zip);
        if let Some(path) = part.file_name().map(str::to_owned) {
            // The core refuses them too, but not before all of them are here.
            if files.len() == most {
                return Err(Invalid::new("files", &path, format!("at most {most} files")).into());
            }
            let content = part.bytes().await.map_err(|error| torn(&error))?;
            if archive.is_none() && files.is_empty() && (zipped || path.to_lowercase().ends_with(".zip")) {
                archive = Some(content.clone());
            }
            files.push(UploadedFile { path, executable: false, content: content.into() });
        } else if part.name() == Some("executable") {
            if executable.len() == most {
                return Err(Invalid::hidden("executable", format!("at most {most} paths")).into());
            }
            executable.push(part.text().await.map_err(|error| torn(&error))?);
        } else {
            let name = shown(part.name().unwrap_or_default());
            return Err(Invalid::hidden(name, "files, each with a filename, and `executable`").into());
        }
    }
    if let (Some(archive), [_]) = (archive, files.as_slice()) {
        files = unpacked(app, archive).await?;
    }
    let mut wanted: HashSet<&str> = executable.iter().map(String::as_str).collect();
    for file in &mut files {
        file.executable |= wanted.remove(file.path.as_str());
    }
    if let Some(path) = executable.iter().find(|path| wanted.contains(path.as_str())) {
        return Err(Invalid::new("executable", path, "the path of a file of the upload").into());
    }
    Ok(files)
}

/// A form that cannot be read to its end.
fn torn(error: &MultipartError) -> Invalid {
    Invalid::hidden("body", format!("a form as its content type says: {}", shown(&error.body_text())))
}
