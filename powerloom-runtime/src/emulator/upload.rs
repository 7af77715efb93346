//! Reading `multipart/form-data` bodies.

use crate::emulator::call::Call;
use crate::emulator::refusal::Refusal;
use axum::body::Body;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::header::CONTENT_TYPE;

/// One file of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UploadedFile {
    /// The name with its directories, as sent.
    pub(crate) name: String,
    pub(crate) content_type: String,
    pub(crate) bytes: Vec<u8>,
}

/// The parts of a multipart body.
#[derive(Debug, Default)]
pub(crate) struct Upload {
    pub(crate) files: Vec<UploadedFile>,
    /// The text parts, in order.
    pub(crate) texts: Vec<(String, String)>,
}

impl Upload {
    /// Reads the body of `call`; files are the parts named `field` or `field[]`.
    pub(crate) async fn read(call: &Call, field: &str) -> Result<Self, Refusal> {
        let bad =
            |error: &dyn std::fmt::Display| Refusal::invalid(format!("the upload cannot be read: {error}"));
        let mut request = Request::new(Body::from(call.body.clone()));
        if let Ok(value) = call.content_type.parse() {
            request.headers_mut().insert(CONTENT_TYPE, value);
        }
        let mut parts = Multipart::from_request(request, &()).await.map_err(|error| bad(&error))?;
        let mut upload = Self::default();
        while let Some(part) = parts.next_field().await.map_err(|error| bad(&error))? {
            let name = part.name().unwrap_or_default().to_owned();
            let filename = part.file_name().map(str::to_owned);
            let content_type = part.content_type().unwrap_or("application/octet-stream").to_owned();
            let bytes = part.bytes().await.map_err(|error| bad(&error))?.to_vec();
            match filename {
                Some(filename) if name.strip_suffix("[]").unwrap_or(&name) == field => {
                    upload.files.push(UploadedFile { name: filename, content_type, bytes });
                }
                Some(_) => return Err(Refusal::invalid(format!("{name}: unexpected file part"))),
                None => upload.texts.push((name, String::from_utf8_lossy(&bytes).into_owned())),
            }
        }
        Ok(upload)
    }

    /// The text part `name`.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.texts.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}
