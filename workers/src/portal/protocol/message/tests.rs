//! Every message in both directions, every width of integer, and inputs that are not messages.

use proptest::prelude::*;
use rmp::encode as mp;

use super::*;

type Parts = (u8, u64, u64, u16, String, Vec<u8>);

fn control() -> impl Strategy<Value = Parts> {
    let introduction = (any::<Option<bool>>(), "\\PC{0,60}").prop_map(|(is_v4, target)| {
        let end = |is_v4| if is_v4 { "192.0.2.1:9" } else { "[2001:db8::1]:9" }.parse().unwrap();
        let both = |is_v4| ClientAddresses { client: end(is_v4), server: end(is_v4) };
        encode_introduction(is_v4.map(both), &target)
    });
    (0..10u8, any::<u64>(), any::<u64>(), any::<u16>(), "\\PC{0,80}", introduction)
}

fn build<'a>(&(kind, number, other, code, ref text, ref introduction): &'a Parts) -> Control<'a> {
    let secret = StreamSecret::from_bytes((u128::from(other) << 3).to_be_bytes());
    let (received, limit) = (Offset::new(other), Limit::new(number));
    let life = OutletLife::new(other.saturating_sub(u64::MAX / 2));
    match kind {
        0 => {
            let introduction = Introduction::of(introduction);
            Control::Open { limit, secret: Some(secret).filter(|_| code % 2 == 0), introduction }
        }
        1 => Control::Opened { limit, life },
        2 => Control::Refused { reason: StreamRefusal::from_code(code), text: shortened(text) },
        3 => Control::Window { limit },
        4 => Control::Fin { offset: Offset::new(number) },
        5 => Control::Reset { reason: ResetReason::from_code(code) },
        6 => Control::Ack { received },
        7 => Control::Resume { secret, attempt: code.into(), received, limit },
        8 => Control::Resumed { received, limit },
        _ => Control::Unknown { life },
    }
}

fn data(offset: u64, bytes: &[u8]) -> Vec<u8> {
    let mut message = data_header(Offset::new(offset), bytes.len() as u32).to_vec();
    message.extend_from_slice(bytes);
    message
}

/// The message that is the whole of `input`.
fn only(input: &[u8]) -> Result<Decoded<'_>, DecodeError> {
    let (message, length) = decode(input)?;
    assert_eq!(length, input.len(), "it is read to the end");
    Ok(message)
}

proptest! {
    #[test]
    fn a_control_message_comes_back_as_it_was(parts in control()) {
        let message = build(&parts);
        let encoded = message.encode();
        prop_assert_eq!(only(&encoded), Ok(Decoded::Control(message)));
    }

    #[test]
    fn data_comes_back_as_offset_and_range(
        offset: u64,
        bytes in prop::collection::vec(any::<u8>(), 1..2000),
    ) {
        let message = data(offset, &bytes);
        let Ok(Decoded::Data { offset: came, range }) = only(&message) else {
            panic!("no data in {:?}", decode(&message));
        };
        prop_assert_eq!(came.value(), offset);
        prop_assert_eq!(&message[range], &bytes[..]);
    }

    #[test]
    fn prefixes_are_refused_and_following_bytes_are_left(
        parts in control(),
        more in prop::collection::vec(any::<u8>(), 1..9),
    ) {
        let message = build(&parts);
        let mut encoded = message.encode();
        let length = encoded.len();
        for cut in 0..length {
            prop_assert!(decode(&encoded[..cut]).is_err());
        }
        encoded.extend(more);
        prop_assert_eq!(decode(&encoded), Ok((Decoded::Control(message), length)));
    }

    #[test]
    fn consecutive_messages_are_read_in_turn(
        first in control(),
        bytes in prop::collection::vec(any::<u8>(), 1..200),
        last in control(),
    ) {
        let (first, last) = (build(&first), build(&last));
        let payload = [first.encode(), data(7, &bytes), last.encode()].concat();
        let (found, at) = decode(&payload).unwrap();
        prop_assert_eq!(found, Decoded::Control(first));
        let (found, length) = decode(&payload[at..]).unwrap();
        let range = DATA_HEADER..DATA_HEADER + bytes.len();
        prop_assert_eq!(found, Decoded::Data { offset: Offset::new(7), range });
        prop_assert_eq!(only(&payload[at + length..]), Ok(Decoded::Control(last)));
    }
}

#[test]
fn the_bytes_on_the_wire_are_these() {
    let limit = Limit::new(262_144);
    assert_eq!(
        Control::Open { limit, secret: None, introduction: Default::default() }.encode(),
        [0x94, 0, 1, 0xce, 0, 4, 0, 0, 0xc4, 0]
    );
    assert_eq!(Control::Opened { limit, life: None }.encode(), [0x93, 1, 0xce, 0, 4, 0, 0, 0]);
    let refused = Control::Refused { reason: StreamRefusal::Busy, text: "no" };
    assert_eq!(refused.encode(), [0x93, 2, 6, 0xa2, b'n', b'o']);
    assert_eq!(Control::Window { limit }.encode(), [0x92, 4, 0xce, 0, 4, 0, 0]);
    assert_eq!(Control::Fin { offset: Offset::new(200) }.encode(), [0x92, 5, 0xcc, 200]);
    assert_eq!(Control::Reset { reason: ResetReason::Stopped }.encode(), [0x92, 6, 4]);
    let secret = StreamSecret::from_bytes([0xab; 16]);
    let open =
        Control::Open { limit, secret: Some(secret), introduction: Default::default() }.encode();
    assert_eq!(open[..10], [0x94, 0, 1, 0xce, 0, 4, 0, 0, 0xc4, 16]);
    assert_eq!(open[10..], [0xab; 16]);
    let open = |client: Option<&str>, target| {
        let end = |text: &str| text.parse().unwrap();
        let client = client.map(|text| ClientAddresses { client: end(text), server: end(text) });
        let introduction = encode_introduction(client, target);
        let introduction = Introduction::of(&introduction);
        assert_eq!((introduction.client(), introduction.target()), (client, target));
        Control::Open { limit, secret: None, introduction }.encode()
    };
    assert_eq!(open(None, ""), [0x94, 0, 1, 0xce, 0, 4, 0, 0, 0xc4, 0]);
    let client = open(Some("192.0.2.1:9"), "");
    assert_eq!((client[0], &client[8..14]), (0x95, &[0xc4, 0, 0xc4, 12, 192, 0][..]));
    assert_eq!(open(None, "a:1")[8..], [0xc4, 0, 0xc4, 0, 0xa3, b'a', b':', b'1']);
    let both = open(Some("[::1]:9"), "a:1");
    assert_eq!((both[0], both.len()), (0x96, 52));
    let opened = Control::Opened { limit, life: OutletLife::new(7) };
    assert_eq!(opened.encode(), [0x93, 1, 0xce, 0, 4, 0, 0, 7]);
    let received = Offset::new(5).after_fin();
    assert_eq!(Control::Ack { received }.encode(), [0x92, 7, 6]);
    let resume = Control::Resume { secret, attempt: 2, received, limit }.encode();
    assert_eq!(resume[..5], [0x96, 8, 1, 0xc4, 16]);
    assert_eq!(resume[5..21], [0xab; 16]);
    assert_eq!(resume[21..], [2, 6, 0xce, 0, 4, 0, 0]);
    assert_eq!(Control::Resumed { received, limit }.encode(), [0x93, 9, 6, 0xce, 0, 4, 0, 0]);
    assert_eq!(Control::Unknown { life: None }.encode(), [0x92, 10, 0]);
    assert_eq!(data(0x0102, b"x"), [0x93, 3, 0xcf, 0, 0, 0, 0, 0, 0, 1, 2, 0xc6, 0, 0, 0, 1, b'x']);
}

#[test]
fn integers_are_read_in_every_width_unless_negative() {
    let fin = |tail: &[u8]| decode(&[&[0x92, 5], tail].concat()).map(|_| ());
    let widths: [&[u8]; 9] = [
        &[7],
        &[0xcc, 7],
        &[0xcd, 0, 7],
        &[0xce, 0, 0, 0, 7],
        &[0xcf, 0, 0, 0, 0, 0, 0, 0, 7],
        &[0xd0, 7],
        &[0xd1, 0, 7],
        &[0xd2, 0, 0, 0, 7],
        &[0xd3, 0, 0, 0, 0, 0, 0, 0, 7],
    ];
    for width in widths {
        assert_eq!(fin(width), Ok(()), "{width:x?}");
    }
    let malformed = Err(DecodeError::Malformed("the final offset"));
    for negative in [&[0xffu8][..], &[0xd0, 0x80], &[0xd3, 0xff, 0, 0, 0, 0, 0, 0, 0]] {
        assert_eq!(fin(negative), malformed, "{negative:x?}");
    }
    // Wide array, kind and length are MessagePack as well.
    let wide = [0xdd, 0, 0, 0, 3, 0xcd, 0, 3, 5, 0xc5, 0, 1, 9];
    assert_eq!(only(&wide), Ok(Decoded::Data { offset: Offset::new(5), range: 12..13 }));
}

#[test]
fn what_is_no_message_is_refused_by_name() {
    let secret = DecodeError::Malformed("the secret");
    let resume = [&[0x96, 8, 1, 0xc4, 16][..], &[7; 16]].concat();
    let cases: [(&[u8], DecodeError); 26] = [
        (&[], DecodeError::Malformed("the array")),
        (&[0x82, 5, 1, 1, 1], DecodeError::Malformed("the array")),
        (&[0xc0], DecodeError::Malformed("the array")),
        (&[0x90], DecodeError::Malformed("the kind")),
        (&[0x92, 11, 1], DecodeError::UnknownKind(11)),
        (&[0x93, 5, 1, 1], DecodeError::WrongLength { kind: 5, expected: 2, came: 3 }),
        (&[0x95, 0, 2, 1, 1], DecodeError::UnsupportedVersion(2)),
        (&[0x91, 8, 2], DecodeError::UnsupportedVersion(2)),
        (&[0x93, 0, 1, 1], DecodeError::WrongLength { kind: 0, expected: 4, came: 3 }),
        (&[0x97, 0, 1, 1, 0xc4, 0], DecodeError::WrongLength { kind: 0, expected: 6, came: 7 }),
        (&[0x95, 0, 1, 1, 0xc4, 0, 0xc4, 1, 9], DecodeError::Malformed("the client's addresses")),
        (&[0x95, 0, 1, 1, 0xc4, 0, 0xc4, 12], DecodeError::Malformed("the client's addresses")),
        (&[0x95, 0, 1, 1, 0xc4, 0, 0xa0], DecodeError::Malformed("the client's addresses")),
        (&[0x96, 0, 1, 1, 0xc4, 0, 0xc4, 0, 1], DecodeError::Malformed("the target")),
        (&[0x96, 0, 1, 1, 0xc4, 0, 0xc4, 0, 0xa1, 0xff], DecodeError::Malformed("the target")),
        (&[0x94, 0, 1, 1, 0xc4, 15], secret),
        (&[0x94, 0, 1, 1, 0xc4, 16, 1], secret),
        (&[0x94, 0, 1, 1, 0xa0], secret),
        (&[0x96, 8, 1, 0xc4, 0, 1, 1, 1], secret),
        (&resume, DecodeError::Malformed("the attempt")),
        (&[0x92, 10, 0xff], DecodeError::Malformed("the life")),
        (&[0x93, 3, 0, 0xc4, 0], DecodeError::EmptyData),
        (&[0x93, 3, 0, 0xa1, 65], DecodeError::Malformed("Data's bytes")),
        (&[0x93, 3, 0, 0xc4, 2, 1], DecodeError::Malformed("Data's bytes")),
        (&[0x93, 2, 1, 0xa1, 0xff], DecodeError::Malformed("the text")),
        (&[0x92, 6, 0xce, 0, 1, 0, 0], DecodeError::Malformed("the reason")),
    ];
    for (input, error) in cases {
        assert_eq!(decode(input), Err(error), "{input:x?}");
    }
    let too_long = DecodeError::TooLong { field: "Data", max: MAX_DATA, came: MAX_DATA + 1 };
    assert_eq!(decode(&data(0, &vec![0; MAX_DATA + 1])), Err(too_long));
    let mut bomb = vec![0x93, 3, 0, 0xc6];
    bomb.extend(u32::MAX.to_be_bytes());
    assert!(matches!(decode(&bomb), Err(DecodeError::TooLong { .. })));
}

#[test]
fn long_texts_are_cut_and_foreign_ones_refused() {
    let text = "é".repeat(150) + "x";
    let encoded = Control::Refused { reason: StreamRefusal::Busy, text: &text }.encode();
    let Ok(Decoded::Control(Control::Refused { text: came, .. })) = only(&encoded) else {
        panic!("not read back");
    };
    assert_eq!(came, "é".repeat(100));
    let mut long = Vec::new();
    mp::write_array_len(&mut long, 3).unwrap();
    mp::write_uint(&mut long, 2).unwrap();
    mp::write_uint(&mut long, 1).unwrap();
    mp::write_str(&mut long, &"a".repeat(MAX_TEXT + 1)).unwrap();
    assert!(matches!(decode(&long), Err(DecodeError::TooLong { field: "the text", .. })));
}

/// A small generator of its own, so that a million inputs spend no time in strategies.
fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

#[test]
fn a_million_mutated_inputs_never_panic_or_allocate() {
    let (limit, received) = (Limit::new(1 << 40), Offset::new(70_000));
    let secret = StreamSecret::from_bytes([3; 16]);
    let end = "192.0.2.1:9".parse().unwrap();
    let client = ClientAddresses { client: end, server: end };
    let introduction = encode_introduction(Some(client), "db.internal:5432");
    let introduction = Introduction::of(&introduction);
    let seeds = [
        Control::Open { limit, secret: None, introduction }.encode(),
        Control::Open { limit, secret: None, introduction: Default::default() }.encode(),
        Control::Opened { limit, life: None }.encode(),
        Control::Refused { reason: StreamRefusal::NotAllowed, text: "by the policy of the outlet" }
            .encode(),
        data(1 << 33, &[7; 100]),
        Control::Window { limit }.encode(),
        Control::Fin { offset: Offset::new(70_000) }.encode(),
        Control::Reset { reason: ResetReason::Unknown(999) }.encode(),
        Control::Open { limit, secret: Some(secret), introduction: Default::default() }.encode(),
        Control::Opened { limit, life: OutletLife::new(1 << 50) }.encode(),
        Control::Ack { received }.encode(),
        Control::Resume { secret, attempt: 1, received, limit }.encode(),
        Control::Resumed { received, limit }.encode(),
        Control::Unknown { life: OutletLife::new(9) }.encode(),
    ];
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    let mut input = Vec::with_capacity(1024);
    let (mut read, mut refused) = (0u64, 0u64);
    let info = allocation_counter::measure(|| {
        for _ in 0..1_000_000 {
            input.clear();
            input.extend_from_slice(&seeds[(next(&mut seed) % 14) as usize]);
            for _ in 0..next(&mut seed) % 4 {
                let at = (next(&mut seed) as usize) % input.len().max(1);
                match next(&mut seed) % 5 {
                    0 => input.truncate(at),
                    1 => input.insert(at.min(input.len()), next(&mut seed) as u8),
                    2 if at < input.len() => drop(input.remove(at)),
                    _ if at < input.len() => input[at] = next(&mut seed) as u8,
                    _ => {}
                }
            }
            match decode(&input) {
                Ok((message, length)) => {
                    assert!(length <= input.len());
                    if let Decoded::Data { range, .. } = message {
                        assert!(!range.is_empty() && range.end == length);
                    }
                    read += 1;
                }
                Err(_) => refused += 1,
            }
        }
    });
    assert_eq!(info.count_total, 0, "decoding allocated");
    let control = allocation_counter::measure(|| drop(std::hint::black_box(vec![0u8; 9])));
    assert_eq!(control.count_total, 1, "the counter counts");
    assert!(read > 100_000 && refused > 100_000, "{read} read, {refused} refused");
}

/// Asserts nothing, so it is run by hand:
/// `cargo test -p ockam-actix-workers --release -- --ignored --nocapture decoding_data_takes`
#[test]
#[ignore = "a measurement"]
fn decoding_data_takes_tens_of_nanoseconds() {
    let message = data(1 << 40, &[1; 32 * 1024]);
    let rounds = 10_000_000u32;
    let began = std::time::Instant::now();
    for _ in 0..rounds {
        std::hint::black_box(decode(std::hint::black_box(&message)).unwrap());
    }
    println!("{:.1} ns for each Data", began.elapsed().as_nanos() as f64 / f64::from(rounds));
}
