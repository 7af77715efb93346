//! Uploads of skills over REST (rows P49–P51).

use crate::world::{Answer, World};
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::limits::Limits;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use std::io::{Cursor, Write};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

fn skill_md(name: &str, body: &str) -> String {
    format!("---\nname: {name}\ndescription: Lint files.\n---\n{body}\n")
}

fn zipped(files: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, mode, content) in files {
        writer.start_file(*path, SimpleFileOptions::default().unix_permissions(*mode)).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn part(path: &str, content: impl Into<Vec<u8>>) -> Part {
    Part::bytes(content.into()).file_name(path.to_owned())
}

impl World {
    /// Uploads a version of a skill that is `SKILL.md` alone, as JSON.
    pub async fn publish(&self, skill: &str, name: &str, body: &str) -> Answer {
        use base64::Engine;
        let content = base64::engine::general_purpose::STANDARD.encode(skill_md(name, body));
        let files = json!({ "files": [{ "path": "SKILL.md", "content": content }] });
        self.post(&format!("/skills/{skill}/versions"), files).await
    }

    async fn python_lint(&self) -> String {
        let skill = json!({ "ou_id": self.acme.root_ou, "name": "python-lint" });
        self.post("/skills", skill).await.expect(201).id().to_owned()
    }

    async fn upload(&self, skill: &str, form: Form) -> Answer {
        let request = self.request(Method::POST, &format!("/skills/{skill}/versions"));
        self.send(request.bearer_auth(&self.admin).multipart(form)).await
    }

    async fn upload_zip(&self, skill: &str, bytes: Vec<u8>) -> Answer {
        let request = self.request(Method::POST, &format!("/skills/{skill}/versions"));
        let request = request.bearer_auth(&self.admin).header("content-type", "application/zip");
        self.send(request.body(bytes)).await
    }
}

/// Row P50: however the files come, they are the same version, with a content hash.
#[tokio::test]
async fn a_skill_is_uploaded_as_json_as_a_form_and_as_an_archive() {
    let world = World::start().await;
    let skill = world.python_lint().await;
    let first = world.publish(&skill, "python-lint", "one").await.expect(201);
    let path = format!("/skills/{skill}/versions");
    assert_eq!(first.header("location"), format!("{path}/{}", first.id()));
    assert_eq!((&first.body["number"], &first.body["skill_id"]), (&json!(1), &json!(skill)));
    assert_eq!(first.body["files"][0]["path"], "SKILL.md");
    assert_eq!(first.body["content_hash"].as_str().unwrap().len(), 64);
    assert_eq!(first.body["sync"]["status"], "pending");
    assert_eq!(world.publish(&skill, "python-lint", "one").await.expect(200).body, first.body);

    let text = skill_md("python-lint", "two");
    let form = Form::new()
        .part("file", part("SKILL.md", text.clone()))
        .part("file", part("bin/lint", "#!/bin/sh\n"))
        .text("executable", "bin/lint");
    let second = world.upload(&skill, form).await.expect(201);
    assert_eq!(second.body["number"], 2);
    assert_eq!(second.body["previous_version_id"], json!(first.id()));
    let files: Vec<(&str, bool)> = second.body["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| (file["path"].as_str().unwrap(), file["executable"].as_bool().unwrap()))
        .collect();
    assert_eq!(files, [("SKILL.md", false), ("bin/lint", true)]);
    let archive = zipped(&[("SKILL.md", 0o644, text.as_bytes()), ("bin/lint", 0o755, b"#!/bin/sh\n")]);
    let in_a_folder =
        zipped(&[("lint/SKILL.md", 0o644, text.as_bytes()), ("lint/bin/lint", 0o755, b"#!/bin/sh\n")]);
    for archive in [archive, in_a_folder] {
        let same = world.upload_zip(&skill, archive.clone()).await.expect(200);
        assert_eq!(same.body, second.body);
        let form = Form::new().part("file", part("python-lint.zip", archive));
        assert_eq!(world.upload(&skill, form).await.expect(200).body, second.body);
    }
    // Nothing is made: an older version is the current one again.
    let again = world.publish(&skill, "python-lint", "one").await.expect(200);
    assert_eq!((again.id(), again.headers.get("location")), (first.id(), None));
    let current = world.get(&format!("/skills/{skill}")).await.expect(200).body["status"]["current"].clone();
    assert_eq!(current, json!({ "id": first.id(), "number": 1 }));
}

/// Row P50: versions stay as they are.
#[tokio::test]
async fn versions_are_listed_the_newest_first_and_cannot_be_changed() {
    let world = World::start().await;
    let skill = world.python_lint().await;
    for body in 1..=11 {
        world.publish(&skill, "python-lint", &body.to_string()).await.expect(201);
    }
    let path = format!("/skills/{skill}/versions");
    let (mut seen, mut next) = (Vec::new(), format!("{path}?limit=4"));
    let mut last = Value::Null;
    loop {
        let page = world.get(&next).await.expect(200).body;
        seen.extend(page["items"].as_array().unwrap().iter().map(|it| it["number"].as_u64().unwrap()));
        last = page["items"].as_array().unwrap().last().cloned().unwrap_or(last);
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        next = format!("{path}?limit=4&cursor={cursor}");
    }
    assert_eq!(seen, (1..=11).rev().collect::<Vec<u64>>());
    let one = format!("{path}/{}", last["id"].as_str().unwrap());
    assert_eq!(world.get(&one).await.expect(200).body, last);
    world.patch(&one, json!({ "number": 9 })).await.expect(405);
    world.delete(&one).await.expect(405);
    let other = json!({ "ou_id": world.acme.root_ou, "name": "other" });
    let other = world.post("/skills", other).await.expect(201).id().to_owned();
    let elsewhere = format!("/skills/{other}/versions/{}", last["id"].as_str().unwrap());
    let absent = world.get(&elsewhere).await.expect(404);
    assert_eq!(absent.body["error"]["detail"]["what"], "SkillVersion");
}

#[tokio::test]
async fn an_upload_is_refused_by_the_file_that_is_wrong_and_leaves_no_version() {
    let world = World::start().await;
    let skill = world.python_lint().await;
    let good = skill_md("python-lint", "x");
    let good = || ("SKILL.md", 0o644, good.as_bytes());
    let field = |refused: &Answer| {
        let detail = &refused.body["error"]["detail"];
        format!("{} {}", detail["field"].as_str().unwrap(), detail["value"].as_str().unwrap_or_default())
    };
    let bomb = vec![0; 40 << 20];
    for (archive, wanted) in [
        (zipped(&[("a.py", 0o644, b"x")]), "files "),
        (zipped(&[good(), ("../evil", 0o644, b"x")]), "files[1].path ../evil"),
        (zipped(&[good(), ("/etc/passwd", 0o644, b"x")]), "files[1].path /etc/passwd"),
        (zipped(&[good(), ("bomb", 0o644, &bomb)]), "files bomb"),
        (b"no archive".to_vec(), "body "),
        (Vec::new(), "body "),
    ] {
        let refused = world.upload_zip(&skill, archive).await.expect(400);
        assert_eq!(field(&refused), wanted, "{}", refused.text);
    }
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_symlink("passwd", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    let link = world.upload_zip(&skill, writer.finish().unwrap().into_inner()).await.expect(400);
    assert_eq!(field(&link), "files passwd");

    for (form, wanted) in [
        (Form::new(), "body "),
        (Form::new().text("note", "x"), "note "),
        (Form::new().part("f", part("SKILL.md", skill_md("other", "x"))), "SKILL.md.name other"),
        (Form::new().part("f", part("SKILL.md", "no front matter")), "SKILL.md "),
        (
            Form::new().part("f", part("SKILL.md", skill_md("python-lint", "x"))).text("executable", "bin/x"),
            "executable bin/x",
        ),
    ] {
        let refused = world.upload(&skill, form).await.expect(400);
        assert_eq!(field(&refused), wanted, "{}", refused.text);
    }
    let path = format!("/skills/{skill}/versions");
    for (body, wanted) in [
        (json!({ "files": [] }), "files 0"),
        (json!({ "files": [{ "path": "SKILL.md", "content": "no base64!" }] }), "files[0].content "),
        (json!({ "files": [{ "path": "SKILL.md", "content": "eA==", "mode": 7 }] }), "files[0].mode "),
        (json!({ "file": [] }), "file "),
    ] {
        let refused = world.post(&path, body).await.expect(400);
        assert_eq!(field(&refused), wanted, "{}", refused.text);
    }
    let request = |content_type: &str| {
        let request = world.request(Method::POST, &path).bearer_auth(&world.admin);
        request.header("content-type", content_type).body("x")
    };
    world.send(request("text/plain")).await.expect(415);
    assert_eq!(field(&world.send(request("multipart/form-data")).await.expect(400)), "content-type ");
    assert_eq!(field(&world.send(request("multipart/form-data; boundary=b")).await.expect(400)), "body ");
    assert_eq!(world.get(&path).await.expect(200).body["items"], json!([]));
}

/// A form has no end that a client may not put off: what no upload may have is refused where it comes, before the rest of it.
#[tokio::test]
async fn a_form_of_too_many_parts_is_refused_while_it_is_read() {
    let store = powerloom_store::open("memory:").await.unwrap();
    let mut limits = Limits::default();
    limits.skill_files = 3;
    let loom = ControlPlane::builder(store).limits(limits).build();
    let world = World::over(loom, |config| config).await;
    let skill = world.python_lint().await;
    let file = |path: &str| {
        format!("--x\r\ncontent-disposition: form-data; name=\"f\"; filename=\"{path}\"\r\n\r\nx\r\n")
    };
    let path = "--x\r\ncontent-disposition: form-data; name=\"executable\"\r\n\r\nSKILL.md\r\n";
    let files: String = (0..4).map(|n| file(&format!("{n}.md"))).collect();
    // Neither has an end: a reader that goes on says so.
    for (body, field) in [(files, "files"), (file("SKILL.md") + &path.repeat(4), "executable")] {
        let request =
            world.request(Method::POST, &format!("/skills/{skill}/versions")).bearer_auth(&world.admin);
        let request = request.header("content-type", "multipart/form-data; boundary=x").body(body);
        let refused = world.send(request).await.expect(400);
        assert_eq!(refused.body["error"]["detail"]["field"], field, "{}", refused.text);
        assert!(refused.text.contains("at most 3"), "{}", refused.text);
    }
    let text = skill_md("python-lint", "x");
    let form = Form::new()
        .part("f", part("SKILL.md", text))
        .part("f", part("a", "a"))
        .part("f", part("b", "b"))
        .text("executable", "b")
        .text("executable", "a")
        .text("executable", "b");
    let made = world.upload(&skill, form).await.expect(201);
    let flags: Vec<bool> = made.body["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["executable"].as_bool().unwrap())
        .collect();
    assert_eq!(flags, [false, true, true]);
    let form =
        Form::new().part("f", part("SKILL.md", "x")).text("executable", "SKILL.md").text("executable", "c");
    let refused = world.upload(&skill, form).await.expect(400);
    assert_eq!(refused.body["error"]["detail"]["value"], "c", "{}", refused.text);
}
