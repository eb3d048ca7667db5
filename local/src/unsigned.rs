//! Removes signatures from requests to S3. The local storage accepts any credentials, so it has no secret to verify one
//! with, and s3s refuses what it can't verify.

use bytes::{Buf as _, Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use s3s::Body;

use crate::Error;

/// Returns a request without its signature. Checksums stay, for the storage to verify.
///
/// # Errors
///
/// If the body ends early, or is not in the chunks that its headers announce.
pub(crate) async fn unsigned(request: Request<Incoming>) -> Result<Request<Body>, Error> {
    let (mut head, body) = request.into_parts();
    head.headers.remove(AUTHORIZATION);
    remove_from_query(&mut head)?;
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

/// A presigned URL has its signature, and nothing else of this prefix, in its query.
fn remove_from_query(head: &mut Parts) -> Result<(), Error> {
    if let Some(query) = head.uri.query()
        && query.contains("X-Amz-")
    {
        let kept = query.split('&').filter(|pair| !pair.starts_with("X-Amz-"));
        let kept = kept.collect::<Vec<_>>().join("&");
        head.uri = format!("{}?{kept}", head.uri.path()).parse()?;
    }
    Ok(())
}

/// Decodes a body in `aws-chunked` encoding, whose chunks may be signed, too. Returns its content, and the headers at its
/// end, such as a checksum.
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
    use super::*;

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
