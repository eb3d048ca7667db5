//! Every place that lists the fields, the ID types or the formats has those of the code, in its order where it has one.
//! Others are in `template.rs` (what the function's role may access), `samples.rs` (the sample events) and the local
//! stack's tests (what it saves).

use std::collections::BTreeSet;
use std::fs;

use put_image::domain::{Field, IdType, ImageField};
use put_image::image::Format;
use rstest::rstest;

use crate::definition::{DOCUMENT, member};
use crate::helpers::*;

fn fields() -> Vec<&'static str> {
    Field::all().map(Field::name).collect()
}

fn image_fields() -> Vec<&'static str> {
    ImageField::ALL.map(ImageField::name).to_vec()
}

fn id_types() -> Vec<&'static str> {
    IdType::ALL.map(IdType::name).to_vec()
}

/// The lines of a file that begin with a text.
fn lines(file: &str, start: &str) -> Vec<String> {
    let text = fs::read_to_string(repository(file)).unwrap();
    let lines = text.lines().filter(|line| line.starts_with(start));
    lines.map(str::to_owned).collect()
}

/// The texts between backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The names of the members of a JavaScript object on one line.
fn members(line: &str) -> Vec<&str> {
    let (_, object) = line.split_once('{').unwrap();
    let members = object
        .split(',')
        .filter_map(|member| member.split_once(':'));
    members.map(|(name, _)| name.trim()).collect()
}

#[test]
fn fields_in_the_definition() {
    let form = member(&DOCUMENT, &["components", "schemas", "PutImageForm"]);
    let declared = form["properties"].as_object().unwrap().keys();
    let declared: BTreeSet<&str> = declared.map(String::as_str).collect();
    assert_eq!(declared, BTreeSet::from_iter(fields()));
    let choices = form["dependentSchemas"]["submissionId"]["anyOf"]
        .as_array()
        .unwrap()
        .iter();
    let choices = choices.map(|choice| choice["required"][0].as_str().unwrap());
    assert_eq!(choices.collect::<Vec<_>>(), image_fields());
    for name in image_fields() {
        assert_eq!(
            form["properties"][name]["$ref"],
            "#/components/schemas/Image"
        );
    }
}

#[tokio::test]
async fn fields_that_need_an_id_type_in_the_definition() {
    let app = TestApp::start().await;
    let form = member(&DOCUMENT, &["components", "schemas", "PutImageForm"]);
    for field in ImageField::ALL {
        let alone = Form::full().without("idType").with_only(field);
        let needs_type = app.put(&alone).await.row() == MISSING_ID_TYPE;
        let declared = form["dependentRequired"].get(field.name()).is_some();
        assert_eq!(needs_type, declared, "{}", field.name());
    }
}

#[test]
fn fields_in_the_documentation() {
    let rows = lines("docs/api.md", "| `");
    let names = rows.iter().map(|row| quoted(row)[0]);
    assert_eq!(names.take(fields().len()).collect::<Vec<_>>(), fields());
}

#[test]
fn attributes_in_the_documentation() {
    let rows = lines("docs/operating.md", &format!("| `{}`", image_fields()[0]));
    let (names, _) = rows[0].split_once(" | M |").unwrap();
    assert_eq!(quoted(names), image_fields());
}

#[rstest]
#[case::titles("const FIELDS = ")]
#[case::samples("const SAMPLES = ")]
fn fields_on_the_page(#[case] start: &str) {
    assert_eq!(
        members(&lines("local/src/page.html", start)[0]),
        image_fields()
    );
}

#[tokio::test]
async fn fields_in_the_reason_for_no_images() {
    let app = TestApp::start().await;
    let detail = app.put(&Form::texts()).await.detail.unwrap();
    let words = detail
        .split([' ', ','])
        .filter(|word| word.ends_with("Image"));
    assert_eq!(words.collect::<Vec<_>>(), image_fields());
}

#[test]
fn id_types_in_the_definition() {
    let form = member(&DOCUMENT, &["components", "schemas", "PutImageForm"]);
    let declared = form["properties"]["idType"]["enum"].as_array().unwrap();
    assert_eq!(*declared, id_types());
}

#[test]
fn id_types_in_the_documentation() {
    let row = lines("docs/api.md", "| `idType`").remove(0);
    let names = quoted(&row)
        .into_iter()
        .filter(|name| !fields().contains(name));
    assert_eq!(names.collect::<Vec<_>>(), id_types());
}

/// A format's name as people write it.
fn name(format: Format) -> String {
    format!("{format:?}").to_uppercase()
}

#[test]
fn formats_in_the_definition() {
    let image = member(
        &DOCUMENT,
        &["components", "schemas", "Image", "description"],
    );
    for name in Format::ALL.map(name) {
        let rule = format!("A {name} must");
        assert!(image.as_str().unwrap().contains(&rule), "{rule}");
    }
}

#[test]
fn formats_in_the_documentation() {
    for name in Format::ALL.map(name) {
        assert_eq!(
            lines("docs/api.md", &format!("**{name}**: ")).len(),
            1,
            "{name}"
        );
    }
}

#[tokio::test]
async fn formats_in_the_reason_for_another_one() {
    let app = TestApp::start().await;
    let detail = app.put(&Form::selfie(b"GIF89a")).await.detail.unwrap();
    let (_, advice) = detail.split_once("send a ").unwrap();
    assert_eq!(advice, Format::ALL.map(name).join(" or "));
}
