//! Files on their way to the service.

use crate::cma::error::CmaError;
use bytes::Bytes;
use powerloom_core::invalid::Invalid;
use reqwest::multipart::{Form, Part};

/// Most bytes of one upload, files together: 32 MiB.
const UPLOAD_LIMIT: usize = 32 * 1024 * 1024;

/// One file to upload.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UploadFile {
    /// Its path; for a skill relative and with the skill's directory: `refund-policy/SKILL.md`.
    pub path: String,
    /// What it is: `text/markdown`.
    pub content_type: String,
    /// What is in it.
    pub bytes: Bytes,
}

impl UploadFile {
    /// A file; its content type is told by the ending of its name, and is `application/octet-stream` if that says
    /// nothing.
    pub fn new(path: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        let path = path.into();
        let content_type = content_type(&path).to_owned();
        Self { path, content_type, bytes: bytes.into() }
    }

    /// The same with another content type.
    #[must_use]
    pub fn with_content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = content_type.into();
        self
    }
}

/// A form with each file as a part called `name`.
pub(crate) fn form(name: &'static str, files: &[UploadFile]) -> Result<Form, CmaError> {
    let total = files.iter().fold(0_usize, |total, file| total.saturating_add(file.bytes.len()));
    if files.is_empty() || total > UPLOAD_LIMIT {
        let held = format!("{} files, {total} bytes", files.len());
        return Err(Invalid::new("files", held, "at least one file, at most 32 MiB together").into());
    }
    files.iter().enumerate().try_fold(Form::new(), |form, (index, file)| {
        let within = |invalid: Invalid| invalid.within(&format!("files[{index}]"));
        if !is_relative(&file.path) {
            let allowed =
                "a relative path of at most 1 024 bytes, without dot segments and control characters";
            return Err(within(Invalid::new("path", &file.path, allowed)).into());
        }
        let length = u64::try_from(file.bytes.len()).unwrap_or(u64::MAX);
        let part = Part::stream_with_length(file.bytes.clone(), length)
            .file_name(file.path.clone())
            .mime_str(&file.content_type)
            .map_err(|_| within(Invalid::new("content_type", &file.content_type, "a media type")))?;
        Ok(form.part(name, part))
    })
}

fn is_relative(path: &str) -> bool {
    (1..=1_024).contains(&path.len())
        && !path.contains('\\')
        && !path.chars().any(char::is_control)
        && path.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "md" => "text/markdown",
        "txt" => "text/plain",
        "py" => "text/x-python",
        "sh" => "application/x-sh",
        "js" => "text/javascript",
        "html" => "text/html",
        "css" => "text/css",
        "csv" => "text/csv",
        "json" => "application/json",
        "yaml" | "yml" => "application/yaml",
        "xml" => "application/xml",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(files: &[UploadFile]) -> String {
        match form("files[]", files) {
            Err(CmaError::Invalid(invalid)) => invalid.field,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn an_upload_that_cannot_work_is_refused_before_it_is_sent() {
        assert_eq!(refused(&[]), "files");
        assert_eq!(refused(&[UploadFile::new("a", vec![0; UPLOAD_LIMIT + 1])]), "files");
        for path in ["", "/a", "a//b", "../a", "a/.", "a\\b", "a\r\nb", "a/"] {
            assert_eq!(
                refused(&[UploadFile::new("ok", "x"), UploadFile::new(path, "x")]),
                "files[1].path",
                "{path:?}"
            );
        }
        assert_eq!(refused(&[UploadFile::new("a", "x").with_content_type("a b")]), "files[0].content_type");
    }
}
