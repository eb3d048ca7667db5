//! Complete images of any size whose content is noise: no pixel of them is ever decoded.

/// Noise that is the same for the same seed (splitmix64).
fn noise(length: usize, seed: u64) -> impl Iterator<Item = u8> {
    let mut state = seed;
    let words = std::iter::from_fn(move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Some((word ^ (word >> 31)).to_le_bytes())
    });
    words.flatten().take(length)
}

/// A JPEG of 3 × 2 pixels and exactly `size` bytes.
pub fn jpeg(size: usize, seed: u64) -> Vec<u8> {
    let head = b"\xFF\xD8\xFF\xC0\x00\x0B\x08\x00\x02\x00\x03\x01\x01\x11\x00\xFF\xDA\x00\x08\x01\x01\x00\x00\x3F\x00";
    let scan = noise(size - head.len() - 2, seed).map(|byte| byte & 0x7F);
    head.iter()
        .copied()
        .chain(scan)
        .chain(*b"\xFF\xD9")
        .collect()
}

/// A PNG of 3 × 2 pixels and exactly `size` bytes.
pub fn png(size: usize, seed: u64) -> Vec<u8> {
    let chunk = |kind: &[u8], data: &[u8]| {
        let checked = [kind, data].concat();
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [
            &length[..],
            &checked,
            &crc32fast::hash(&checked).to_be_bytes(),
        ]
        .concat()
    };
    let head = [
        b"\x89PNG\r\n\x1A\n",
        &chunk(b"IHDR", &[0, 0, 0, 3, 0, 0, 0, 2, 8, 2, 0, 0, 0])[..],
    ]
    .concat();
    let end = chunk(b"IEND", b"");
    let data: Vec<u8> = noise(size - head.len() - end.len() - 12, seed).collect();
    [head, chunk(b"IDAT", &data), end].concat()
}
