//! Images of any size from 150 bytes on, whose content is noise, the same for the same seed.

/// The next number of a pseudorandom sequence (splitmix64).
pub fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

/// A JPEG of 3 × 2 pixels and exactly `size` bytes, with noise for its scan.
pub fn jpeg(size: usize, mut seed: u64) -> Vec<u8> {
    let quantization = [&b"\xFF\xDB\x00\x43\x00"[..], &[1; 64]].concat();
    let huffman = |slot| [b"\xFF\xC4\x00\x14", &[slot][..], b"\x01", &[0; 16]].concat();
    let mut image = [
        &b"\xFF\xD8"[..],
        &quantization,
        b"\xFF\xC0\x00\x0B\x08\x00\x02\x00\x03\x01\x01\x11\x00",
        &huffman(0x00),
        &huffman(0x10),
        b"\xFF\xDA\x00\x08\x01\x01\x00\x00\x3F\x00",
    ]
    .concat();
    // What is cut at the end might be a stuffed byte's second half.
    let tail = b"\0\xFF\xD9";
    let end = size - tail.len();
    while image.len() < end {
        for byte in random(&mut seed).to_le_bytes() {
            image.push(byte);
            // A byte of 0xFF is stuffed.
            if byte == 0xFF {
                image.push(0);
            }
        }
    }
    image.truncate(end);
    image.extend(tail);
    image
}

/// A PNG of 3 × 2 pixels and exactly `size` bytes, with noise for its pixels and in a separate chunk.
pub fn png(size: usize, mut seed: u64) -> Vec<u8> {
    let mut noise = move |length: usize| -> Vec<u8> {
        let words = std::iter::from_fn(|| Some(random(&mut seed).to_le_bytes()));
        words.flatten().take(length).collect()
    };
    // Two rows of three pixels, each after its filter type.
    let rows = [&[0], &noise(9)[..], &[0], &noise(9)].concat();
    let head = png_chunk(*b"IHDR", &[0, 0, 0, 3, 0, 0, 0, 2, 8, 2, 0, 0, 0]);
    let data = png_chunk(
        *b"IDAT",
        &miniz_oxide::deflate::compress_to_vec_zlib(&rows, 0),
    );
    let end = png_chunk(*b"IEND", b"");
    let signature = b"\x89PNG\r\n\x1A\n";
    let so_far = signature.len() + head.len() + data.len() + end.len();
    let filler = png_chunk(*b"noIs", &noise(size - so_far - 12));
    [&signature[..], &head, &filler, &data, &end].concat()
}

/// A PNG's chunk with its length and CRC.
pub fn png_chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes();
    let checked = [&kind[..], data].concat();
    let crc = crc32fast::hash(&checked).to_be_bytes();
    [&length[..], &checked, &crc].concat()
}
