//! The map of a workspace, a header and a log of frames.
//!
//! In the form that is mutated, the header and each frame are pieces: a length of two bytes, then the bytes without
//! sums. The bytes after the last whole piece are the torn end.

use arbitrary::{Arbitrary, Result, Unstructured};
use onionskin::path::RelPath;
use onionskin::workspace::Quota;
use onionskin::workspace::map::{End, Header, Lower, Map, Origin, Record, SEED, Seen, frame, sum, synced};

use crate::log::old_of;
use crate::names::path_of_record;

/// Reads the bytes as they are, and with right sums.
pub(crate) fn any_bytes(bytes: &[u8]) {
    read(bytes);
    read(&sealed(bytes));
}

/// Takes the next piece off the bytes.
fn piece<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let (length, after) = rest.split_first_chunk::<2>()?;
    let (piece, after) = after.split_at_checked(u16::from_le_bytes(*length).into())?;
    *rest = after;
    Some(piece)
}

fn sealed(bytes: &[u8]) -> Vec<u8> {
    let mut rest = bytes;
    let mut out = piece(&mut rest).unwrap_or_default().to_vec();
    let mut before = sum(SEED, &out);
    out.extend(before.to_le_bytes());
    while let Some(records) = piece(&mut rest) {
        let start = out.len();
        out.extend(u32::try_from(records.len()).expect("a short piece").to_le_bytes());
        out.extend(records);
        before = sum_of_frame(before, &out[start..]);
        out.extend(before.to_le_bytes());
    }
    out.extend(rest);
    out
}

/// Computes the sum of a frame, as the format defines it.
fn sum_of_frame(before: u64, bytes: &[u8]) -> u64 {
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len() / 8 * 8 + 8, 0);
    let words = padded.as_chunks::<8>().0;
    words
        .iter()
        .fold(before, |sum, word| (sum ^ u64::from_le_bytes(*word)).rotate_left(23).wrapping_mul(0x0100_0000_01b3))
}

fn read(bytes: &[u8]) {
    let Ok((map, header, end)) = Map::decode(bytes) else { return };
    assert_eq!(Map::decode_header(bytes).as_ref(), Ok(&header));
    let whole = &bytes[..usize::try_from(end.length).expect("it is within the bytes")];
    assert_eq!(Map::decode(whole), Ok((map.clone(), header.clone(), end)), "without the torn end");
    let (encoded, encoded_end) = map.encode(&header);
    assert_eq!(Map::decode(&encoded), Ok((map.clone(), header.clone(), encoded_end)), "encoded");
    let marked = [whole, &synced(end).0].concat();
    assert_eq!(Map::decode(&marked).map(|found| (found.0, found.1)), Ok((map.clone(), header)), "marked as synced");
    ask(&map);
}

/// Asks what the view and the commit ask of a map.
fn ask(map: &Map) {
    for (text, origin) in map.origins_below(&RelPath::ROOT).take(16) {
        let path = RelPath::parse_record(text).expect("a path of a map is one of a record");
        assert_eq!(map.origin(&path), Some(origin));
        assert_eq!(map.nearest(text), Some((origin, "")));
        assert!(map.names_in(&path.parent()).iter().any(|name| name == path.name()));
        assert!(*origin == Origin::Nowhere || map.has_below(&path.parent()));
        if let Origin::File(number) = origin {
            assert_eq!(map.paths_of(*number).len() as u64, map.names_of(*number));
        }
        let under = map.under(&path);
        assert!(
            map.showing(&under)
                .iter()
                .all(|at| map.nearest(at.as_str()).is_none_or(|(origin, _)| matches!(origin, Origin::Lower(_))))
        );
        map.inherited(&path);
    }
    for (text, seen) in map.seen_within(&RelPath::ROOT).take(16) {
        let path = if text.is_empty() { RelPath::ROOT } else { RelPath::parse_record(text).expect("as above") };
        assert_eq!(map.seen(&path), Some(seen));
    }
    let former = map.former();
    assert!(map.former_since(0).len() <= former.len());
    assert!(
        map.clone().forget_former(u64::MAX)
            || former.iter().all(|record| matches!(record, Record::Was(_, u64::MAX, _)))
    );
}

/// Encodes the map that the bytes describe, appends frames, and decodes the result.
pub(crate) fn any_map(bytes: &[u8]) {
    let from = &mut Unstructured::new(bytes);
    let Ok((header, mut records, later)) =
        header_of(from).and_then(|header| Ok((header, records_of(from, 24)?, records_of(from, 8)?)))
    else {
        return;
    };
    let (mut bytes, mut end) = Map::from_records(&records).encode(&header);
    for record in later {
        let (piece, sum) = frame(end.sum, std::slice::from_ref(&record));
        bytes.extend(piece);
        end = End { length: bytes.len() as u64, sum, ..end };
        records.push(record);
    }
    let map = Map::from_records(&records);
    assert_eq!(Map::decode(&bytes), Ok((map.clone(), header.clone(), end)));
    ask(&map);
    bytes.extend([0; 16]);
    assert_eq!(Map::decode(&bytes), Ok((map, header, end)), "with room after the frames");
}

fn header_of(from: &mut Unstructured<'_>) -> Result<Header> {
    let mut header = Header {
        files: from.arbitrary()?,
        label: from.arbitrary()?,
        quota: Quota { bytes: from.arbitrary()?, entries: from.arbitrary()? },
        ..Header::default()
    };
    for _ in 0..from.int_in_range(0..=3)? {
        header.lowers.push(Lower { name: from.arbitrary()?, identity: from.arbitrary()? });
    }
    if from.arbitrary()? {
        header.proof = Some(from.arbitrary()?);
    }
    Ok(header)
}

fn records_of(from: &mut Unstructured<'_>, most: usize) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for _ in 0..from.int_in_range(0..=most)? {
        let path = path_of_record(from)?;
        records.push(match from.int_in_range(0..=9)? {
            0..=5 => Record::Shows(path, if from.ratio(1, 8)? { None } else { Some(origin_of(from)?) }),
            6..=8 => Record::Saw(path, if from.ratio(1, 8)? { None } else { Some(seen_of(from)?) }),
            _ => Record::Was(path, Arbitrary::arbitrary(from)?, origin_of(from)?),
        });
    }
    Ok(records)
}

fn origin_of(from: &mut Unstructured<'_>) -> Result<Origin> {
    Ok(match from.int_in_range(0..=4)? {
        0 => Origin::Nowhere,
        1 => Origin::Directory,
        2 => Origin::File(from.int_in_range(0..=4)?),
        3 => Origin::Lower(path_of_record(from)?),
        _ => Origin::Link(from.arbitrary()?),
    })
}

fn seen_of(from: &mut Unstructured<'_>) -> Result<Seen> {
    Ok(Seen { entry: old_of(from)?, below: from.arbitrary()?, kept: from.arbitrary()? })
}

/// Returns maps in the form that is mutated, with every kind of record.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let path = |text| RelPath::parse_record(text).expect("a good path");
    let seen = Seen::of(None);
    let lower = |name: &str, identity| Lower { name: name.to_owned(), identity };
    let header = Header {
        files: 9,
        label: "before".to_owned(),
        lowers: [lower("/a", Some(7)), lower("/b", None)].into(),
        proof: Some([7; 32]),
        quota: Quota { bytes: Some(1 << 20), entries: None },
    };
    let records = [
        Record::Shows(path("a"), Some(Origin::Lower(path("b")))),
        Record::Shows(path("a/x"), Some(Origin::File(4))),
        Record::Shows(path("a/y"), Some(Origin::Nowhere)),
        Record::Shows(path("l"), Some(Origin::Link("elsewhere".to_owned()))),
        Record::Shows(path("d"), Some(Origin::Directory)),
        Record::Shows(path("d/e"), Some(Origin::File(4))),
        Record::Shows(path("d"), None),
        Record::Saw(path("b/x"), Some(seen)),
        Record::Saw(path("b/x"), None),
        Record::Was(path("b/x"), 3, Origin::File(5)),
    ];
    [Header::default(), header]
        .iter()
        .flat_map(|header| (0..=records.len()).map(|count| pieces(header, &records[..count])))
        .collect()
}

/// Encodes a header, frames of one record that belong to the whole part, and as many after it.
fn pieces(header: &Header, records: &[Record]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut add = |piece: &[u8]| {
        out.extend(u16::try_from(piece.len()).expect("a short piece").to_le_bytes());
        out.extend(piece);
    };
    let (empty, end) = Map::default().encode(header);
    // The header ends with a sum, and the empty frame after it has a length and a sum.
    add(&empty[..empty.len() - 8 - 12]);
    let lines = |record: &Record| {
        let (frame, _) = frame(0, std::slice::from_ref(record));
        frame[4..frame.len() - 8].to_vec()
    };
    let (whole, later) = records.split_at(records.len() / 2);
    whole.iter().for_each(|record| add(&lines(record)));
    add(&[]);
    later.iter().for_each(|record| add(&lines(record)));
    let (mark, _) = synced(end);
    add(&mark[4..mark.len() - 8]);
    out
}
