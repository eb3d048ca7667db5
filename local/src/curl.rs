//! A request as the arguments of a curl command, each on its own line and safe to paste into a shell.

use std::borrow::Cow;

use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;

/// The longest value that is part of the command. Images are longer: curl reads each from a file.
const MAX_VALUE: usize = 256;

/// Returns the method, the path and the header of the API key.
pub(crate) fn head(parts: &Parts, key_header: &str) -> Vec<String> {
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let mut arguments = vec![quote(parts.method.as_str()).into_owned()];
    arguments.push(quote(path).into_owned());
    for key in parts.headers.get_all(key_header) {
        let header = format!("{key_header}: {}", String::from_utf8_lossy(key.as_bytes()));
        arguments.push(format!("-H {}", quote(&header)));
    }
    arguments
}

/// Returns a form's fields; for any other body, its type and a file to read it from.
pub(crate) fn body(parts: &Parts, body: &[u8]) -> Vec<String> {
    if let Some(fields) = fields(&String::from_utf8_lossy(body)) {
        return fields;
    }
    let mut arguments = Vec::new();
    if let Some(content_type) = parts.headers.get(CONTENT_TYPE) {
        let content_type = String::from_utf8_lossy(content_type.as_bytes());
        arguments.push(format!(
            "-H {}",
            quote(&format!("content-type: {content_type}"))
        ));
    }
    if !body.is_empty() {
        arguments.push("--data-binary @body".to_owned());
    }
    arguments
}

/// Returns the fields of a form as browsers and curl write it, without a preamble.
fn fields(form: &str) -> Option<Vec<String>> {
    let (delimiter, _) = form.split_once("\r\n")?;
    let parts = form.split(delimiter).skip(1);
    if !delimiter.starts_with("--") {
        return None;
    }
    parts
        .take_while(|part| !part.starts_with("--"))
        .map(field)
        .collect()
}

fn field(part: &str) -> Option<String> {
    let (head, value) = part.split_once("\r\n\r\n")?;
    let value = value.strip_suffix("\r\n")?;
    let (_, name) = head.split_once("; name=\"")?;
    let (name, _) = name.split_once('"')?;
    if name.is_empty() || !name.chars().all(is_plain) {
        return None;
    }
    let is_text = value.len() <= MAX_VALUE && !value.contains(char::is_control);
    Some(if is_text {
        format!("--form-string {}", quote(&format!("{name}={value}")))
    } else {
        format!("--form '{name}=<{name}.b64'")
    })
}

const fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_')
}

/// Quotes an argument for the shell if necessary. shlex fails only on a NUL, which neither a request's head nor a short
/// field can contain.
fn quote(argument: &str) -> Cow<'_, str> {
    shlex::try_quote(argument).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::{Parts, body, head};

    fn request(method: &str, path: &str) -> Parts {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "text/plain; a='b'")
            .header("x-api-key", "it's");
        request.body(()).unwrap().into_parts().0
    }

    fn form(parts: &[&str]) -> Vec<u8> {
        let parts = parts.join("\r\n--b\r\n");
        format!("--b\r\n{parts}\r\n--b--\r\n").into_bytes()
    }

    #[test]
    fn nothing_of_a_request_leaves_its_quotes() {
        assert_eq!(
            head(&request("A|B", "/$(id)?a='&b"), "x-api-key"),
            ["'A|B'", r#"'/$(id)?a='"'&b""#, r#"-H "x-api-key: it's""#]
        );
    }

    #[test]
    fn short_fields_are_written_out_and_long_ones_read_from_files() {
        let long = "A".repeat(300);
        let image = format!("Content-Disposition: form-data; name=\"idImage\"\r\n\r\n{long}");
        let escape = "Content-Disposition: form-data; name=\"idType\"\r\n\r\n\u{1b}[201~";
        let text = "Content-Disposition: form-data; name=\"admin\"; filename=\"x\"\r\nContent-Type: text/plain\r\n\r\n@a b'c";
        assert_eq!(
            body(&request("PUT", "/"), &form(&[text, &image, escape])),
            [
                r#"--form-string "admin=@a b'c""#,
                "--form 'idImage=<idImage.b64'",
                "--form 'idType=<idType.b64'"
            ]
        );
    }

    #[test]
    fn what_is_no_plain_form_is_a_file() {
        let file = [
            r#"-H "content-type: text/plain; a='b'""#,
            "--data-binary @body",
        ];
        let odd_name = form(&["Content-Disposition: form-data; name=\"../a\"\r\n\r\nb"]);
        for content in [
            &b"{}"[..],
            b"--b\r\n\r\nno name\r\n--b--\r\n",
            b"a\r\n--b\r\n",
            &odd_name,
        ] {
            assert_eq!(body(&request("PUT", "/"), content), file);
        }
        assert_eq!(body(&request("PUT", "/"), b"").len(), 1);
    }
}
