//! Removes signatures from requests to S3. The local storage accepts any credentials, so it has no secret to verify one
//! with, and s3s refuses what it can't verify.

use bytes::{Buf as _, Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, HeaderName, HeaderValue};
use s3s::Body;

use crate::Error;

/// Returns a request without its signature. Checksums stay, for the storage to verify.
pub(crate) async fn unsigned(request: Request<Incoming>) -> Result<Request<Body>, Error> {
    let (mut head, body) = request.into_parts();
    head.headers.remove(AUTHORIZATION);
    if let Some(query) = head.uri.query() {
        head.uri = format!("{}?{}", head.uri.path(), without_signature(query)).parse()?;
    }
    let payload = head.headers.get("x-amz-content-sha256");
    if !payload.is_some_and(|payload| payload.as_bytes().starts_with(b"STREAMING-")) {
        return Ok(Request::from_parts(head, body.into()));
    }
    let (content, trailers) = decode(body.collect().await?.to_bytes())?;
    head.headers.insert(CONTENT_LENGTH, content.len().into());
    head.headers.remove(CONTENT_ENCODING);
    head.headers.extend(trailers);
    Ok(Request::from_parts(head, content.into()))
}

/// Removes from a query what signs a presigned URL, in version 4 or 2.
fn without_signature(query: &str) -> String {
    let signs = ["X-Amz-", "AWSAccessKeyId=", "Signature=", "Expires="];
    let pairs = query.split('&');
    let kept = pairs.filter(|pair| !signs.iter().any(|name| pair.starts_with(name)));
    kept.collect::<Vec<_>>().join("&")
}

/// Decodes a body in `aws-chunked` encoding, whose chunks may also be signed. Returns its content, and its trailing
/// headers, such as a checksum.
fn decode(mut body: Bytes) -> Result<(Bytes, Vec<(HeaderName, HeaderValue)>), Error> {
    let mut content = BytesMut::new();
    loop {
        let line = take_line(&mut body)?;
        let size = line
            .split_once(';')
            .map_or(&*line, |(size, _signature)| size);
        match usize::from_str_radix(size, 16)? {
            0 => break,
            size if size > body.len() => return Err("a chunk ends early".into()),
            size => content.extend_from_slice(&body.split_to(size)),
        }
        if !take_line(&mut body)?.is_empty() {
            return Err("a chunk is longer than its size".into());
        }
    }
    let mut trailers = Vec::new();
    while !body.is_empty() {
        if let Some((name, value)) = take_line(&mut body)?.split_once(':') {
            trailers.push((name.parse()?, value.parse()?));
        }
    }
    Ok((content.freeze(), trailers))
}

/// Takes the first line off a body, without its end.
fn take_line(body: &mut Bytes) -> Result<String, Error> {
    let end = body.iter().position(|&byte| byte == b'\n');
    let line = body.split_to(end.ok_or("a line doesn't end")?);
    body.advance(1);
    Ok(str::from_utf8(&line)?.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::not_presigned("list-type=2&prefix=a%20b", "list-type=2&prefix=a%20b")]
    #[case::version_4("x-id=GetObject&X-Amz-Date=0&X-Amz-Signature=00", "x-id=GetObject")]
    #[case::version_2("AWSAccessKeyId=A&Signature=0%3D&Expires=1", "")]
    fn only_the_signature_leaves_a_query(#[case] query: &str, #[case] left: &str) {
        assert_eq!(without_signature(query), left);
    }

    #[test]
    fn chunks_and_trailers_are_decoded() {
        let signed = "5;chunk-signature=00\r\nhello\r\n1;chunk-signature=01\r\n!\r\n0;chunk-signature=02\r\n";
        let trailer = "x-amz-checksum-crc32:AAAAAA==\r\n\r\n";
        let (content, trailers) = decode(format!("{signed}{trailer}").into()).unwrap();
        assert_eq!(content, "hello!");
        let checksum = HeaderName::from_static("x-amz-checksum-crc32");
        assert_eq!(trailers, [(checksum, HeaderValue::from_static("AAAAAA=="))]);
    }
}
