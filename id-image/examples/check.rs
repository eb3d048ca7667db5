//! Says of each file in a folder whether it is an acceptable image, for `.ci/differential`: one process for all.

#![allow(clippy::expect_used, reason = "a tool of the tests")]

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use id_image::Image;
use id_image::png::Budget;

fn main() {
    let folder = std::env::args().nth(1).expect("a folder");
    for file in std::fs::read_dir(folder).expect("a folder") {
        let path = file.expect("a file").path();
        let text = BASE64_STANDARD.encode(std::fs::read(&path).expect("a file"));
        let verdict = match Image::decode(text.as_bytes(), &mut Budget::default()) {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.to_string(),
        };
        println!("{}\t{verdict}", path.file_name().expect("a name").display());
    }
}
