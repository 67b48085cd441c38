//! Rows in COPY's binary format, for the types whose binary form is known here.
//!
//! Source of the format: PostgreSQL, COPY, "Binary Format". A field is what the type's receive function
//! reads, and it reads no type leniently: so a value goes out in binary form only where the server makes
//! the same of it as of its text, and otherwise there is none.

use bytes::{BufMut as _, BytesMut};
use tokio_postgres::types::Type;

use super::text::put_plain;
use super::{is_null, value};
use crate::database::columns::{Batch, Column, Data};
use crate::database::timestamps;

/// The signature, no flags, no extension of the header.
pub(super) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// Where a row would have its number of fields.
pub(super) const TRAILER: &[u8] = &(-1i16).to_be_bytes();

const NULL: [u8; 4] = (-1i32).to_be_bytes();

/// How a column takes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Boolean,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Timestamp,
    Date,
    /// As the text that the input function takes.
    Text,
    /// The same behind a version.
    Jsonb,
    Uuid,
    Bytea,
}

/// The form of a type; `None` where there is none, or where the type's receive function differs from its
/// input function, as that of `name` does with too long ones.
pub(super) fn form(ty: &Type) -> Option<Form> {
    Some(match *ty {
        Type::BOOL => Form::Boolean,
        Type::INT2 => Form::Int2,
        Type::INT4 => Form::Int4,
        Type::INT8 => Form::Int8,
        Type::OID => Form::Oid,
        Type::FLOAT4 => Form::Float4,
        Type::FLOAT8 => Form::Float8,
        Type::TIMESTAMP | Type::TIMESTAMPTZ => Form::Timestamp,
        Type::DATE => Form::Date,
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::JSON => Form::Text,
        Type::JSONB => Form::Jsonb,
        Type::UUID => Form::Uuid,
        Type::BYTEA => Form::Bytea,
        _ => return None,
    })
}

/// Adds one row; `None`, and nothing is added, where a value of it has no binary form.
pub(super) fn put_row(out: &mut BytesMut, forms: &[Form], batch: &Batch, row: usize) -> Option<()> {
    if forms.len() != batch.columns.len() {
        return None;
    }
    let start = out.len();
    out.put_i16(i16::try_from(forms.len()).ok()?);
    for (form, column) in std::iter::zip(forms, &batch.columns) {
        if put_field(out, *form, column, row).is_none() {
            out.truncate(start);
            return None;
        }
    }
    Some(())
}

fn put_field(out: &mut BytesMut, form: Form, column: &Column, row: usize) -> Option<()> {
    if is_null(column, row) {
        out.extend_from_slice(&NULL);
        return Some(());
    }
    match (form, &column.data) {
        (Form::Int8, Data::Int64(values)) => fixed(out, values[row].to_be_bytes()),
        (Form::Int4, Data::Int64(values)) => {
            fixed(out, i32::try_from(values[row]).ok()?.to_be_bytes());
        }
        (Form::Int2, Data::Int64(values)) => {
            fixed(out, i16::try_from(values[row]).ok()?.to_be_bytes());
        }
        (Form::Oid, Data::Int64(values)) => {
            fixed(out, u32::try_from(values[row]).ok()?.to_be_bytes());
        }
        (Form::Float8, Data::Float64(values)) => fixed(out, double(values[row]).to_be_bytes()),
        // a cast rounds to the nearest, as reading the digits does
        (Form::Float8, Data::Int64(values)) => fixed(out, (values[row] as f64).to_be_bytes()),
        (Form::Float4, Data::Float64(values)) => fixed(out, single(values[row])?.to_be_bytes()),
        (Form::Float4, Data::Int64(values)) => fixed(out, (values[row] as f32).to_be_bytes()),
        (Form::Boolean, Data::Boolean(values)) => fixed(out, [u8::from(values[row])]),
        (Form::Timestamp, Data::Timestamp(values)) => {
            timestamps::is_storable(values[row]).then(|| fixed(out, values[row].to_be_bytes()))?;
        }
        (Form::Date, Data::Timestamp(values)) => {
            fixed(out, timestamps::date(values[row])?.to_be_bytes());
        }
        (Form::Bytea, Data::Bytes(values)) => put_bytes(out, value(values, row))?,
        (Form::Uuid, Data::Text(values)) => fixed(out, uuid(value(values, row))?),
        (Form::Text, Data::Text(values)) => put_bytes(out, value(values, row))?,
        (Form::Text, data) => put_text(out, &[], data, row)?,
        // the only version there is
        (Form::Jsonb, data) => put_text(out, &[1], data, row)?,
        _ => return None,
    }
    Some(())
}

fn fixed<const N: usize>(out: &mut BytesMut, bytes: [u8; N]) {
    // a field is far shorter than its length can tell
    out.put_i32(N as i32);
    out.extend_from_slice(&bytes);
}

fn put_bytes(out: &mut BytesMut, bytes: &[u8]) -> Option<()> {
    out.put_i32(i32::try_from(bytes.len()).ok()?);
    out.extend_from_slice(bytes);
    Some(())
}

fn put_text(out: &mut BytesMut, before: &[u8], data: &Data, row: usize) -> Option<()> {
    let place = out.len();
    out.put_i32(0);
    out.extend_from_slice(before);
    put_plain(out, data, row);
    let length = i32::try_from(out.len() - place - 4).ok()?;
    out[place..place + 4].copy_from_slice(&length.to_be_bytes());
    Some(())
}

/// A double as the server stores it: there is one NaN.
fn double(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value }
}

/// The `real` nearest to the shortest digits of a double, as the server reads them; `None` where it refuses
/// them, as out of range.
fn single(value: f64) -> Option<f32> {
    if value.is_nan() {
        return Some(f32::NAN);
    }
    // the digits stand beside the double, not on it: that matters only half-way between two reals, and
    // where reals have fewer bits, for a double itself is nearer to its digits than anything else
    const HALF: u64 = 1 << 28;
    let half_way = value.to_bits() & (2 * HALF - 1) == HALF;
    let tiny = value != 0.0 && value.abs() < f64::from(f32::MIN_POSITIVE);
    let single = if half_way || tiny {
        format!("{value:e}").parse().ok()?
    } else {
        value as f32
    };
    let overflown = single.is_infinite() && value.is_finite();
    let underflown = single == 0.0 && value != 0.0;
    (!overflown && !underflown).then_some(single)
}

/// The bytes of a UUID in the style in which PostgreSQL prints it; the other styles that it reads are left
/// to it.
fn uuid(text: &[u8]) -> Option<[u8; 16]> {
    let text: &[u8; 36] = text.try_into().ok()?;
    let mut digits = [0; 32];
    let mut at = 0;
    for (place, byte) in text.iter().enumerate() {
        if matches!(place, 8 | 13 | 18 | 23) {
            if *byte != b'-' {
                return None;
            }
        } else {
            digits[at] = *byte;
            at += 1;
        }
    }
    let mut bytes = [0; 16];
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::columns::Var;

    fn field(form: Form, data: Data) -> Option<Vec<u8>> {
        let column = Column {
            name: String::new(),
            type_name: String::new(),
            validity: Vec::new(),
            data,
        };
        let mut out = BytesMut::new();
        put_field(&mut out, form, &column, 0)?;
        let (length, field) = out.split_at(4);
        assert_eq!(length, i32::try_from(field.len()).unwrap().to_be_bytes());
        Some(field.to_vec())
    }

    fn text(text: &str) -> Data {
        let mut var = Var::with_capacity(0, 0);
        var.push(text.as_bytes());
        Data::Text(var)
    }

    #[test]
    fn a_number_beyond_its_column_has_no_binary_form() {
        let bounds: [(Form, i64, i64); 3] = [
            (Form::Int2, i16::MIN.into(), i16::MAX.into()),
            (Form::Int4, i32::MIN.into(), i32::MAX.into()),
            (Form::Oid, 0, u32::MAX.into()),
        ];
        for (form, least, most) in bounds {
            for (number, fits) in [
                (least, true),
                (most, true),
                (least - 1, false),
                (most + 1, false),
            ] {
                let field = field(form, Data::Int64(vec![number]));
                assert_eq!(field.is_some(), fits, "{form:?} {number}");
            }
        }
        assert_eq!(
            field(Form::Int4, Data::Int64(vec![-2])),
            Some(vec![255, 255, 255, 254])
        );
    }

    /// What glibc's strtof makes of the digits, as the server calls it.
    #[test]
    fn a_real_is_read_from_the_digits_of_the_double() {
        let half_way = f64::from(1.0f32) + f64::from(f32::EPSILON) / 2.0;
        for value in [
            0.1,
            -0.0,
            16_777_217.0,
            half_way,
            half_way + f64::EPSILON,
            1e-40,
            7.1e-46,
            f64::from(f32::MAX),
            3.402_823_466e38,
            f64::NEG_INFINITY,
        ] {
            let digits: f32 = format!("{value:e}").parse().unwrap();
            assert_eq!(
                single(value).map(f32::to_bits),
                Some(digits.to_bits()),
                "{value:e}"
            );
        }
        for value in [1e300, -1e300, 3.402_823_6e38, 1e-46, f64::MIN_POSITIVE] {
            assert_eq!(single(value), None, "{value:e}");
        }
    }

    #[test]
    fn there_is_one_nan() {
        let odd = f64::from_bits(0xfff8_0000_0000_0001);
        let field = field(Form::Float8, Data::Float64(vec![odd]));
        assert_eq!(field, Some(vec![0x7f, 0xf8, 0, 0, 0, 0, 0, 0]));
        assert_eq!(single(odd).map(f32::to_bits), Some(0x7fc0_0000));
    }

    #[test]
    fn a_uuid_is_read_in_one_style_only() {
        let bytes = field(Form::Uuid, text("00112233-4455-6677-8899-AAbbccddeeff"));
        assert_eq!(
            bytes.map(hex::encode).unwrap(),
            "00112233445566778899aabbccddeeff"
        );
        for other in [
            "00112233445566778899aabbccddeeff",
            "{00112233-4455-6677-8899-aabbccddeeff}",
            "0011-2233-4455-6677-8899-aabb-ccdd-ee",
            "00112233-4455-6677-8899-aabbccddeefg",
            "00112233+4455-6677-8899-aabbccddeeff",
            "",
        ] {
            assert_eq!(field(Form::Uuid, text(other)), None, "{other}");
        }
    }

    #[test]
    fn a_row_without_a_binary_form_leaves_nothing_behind() {
        let column = |data| Column {
            name: String::new(),
            type_name: String::new(),
            validity: Vec::new(),
            data,
        };
        let batch = Batch {
            length: 2,
            columns: vec![
                column(text("a")),
                Column {
                    validity: vec![0b01],
                    ..column(Data::Int64(vec![1, 2]))
                },
            ],
        };
        let mut out = BytesMut::new();
        assert_eq!(
            put_row(&mut out, &[Form::Text, Form::Boolean], &batch, 0),
            None
        );
        assert_eq!(put_row(&mut out, &[Form::Text], &batch, 0), None);
        assert!(out.is_empty());
    }
}
