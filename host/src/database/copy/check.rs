//! Whether a guest's batch may be written at all.

use crate::database::columns::{Batch, Data};

/// Whether a batch that a guest made is well formed; the text says what is not. Every length, offset
/// and byte is the guest's word, and writing relies on them.
pub fn check(batch: &Batch) -> Result<(), String> {
    // an empty line each would go out, as many as the guest likes to claim
    if batch.columns.is_empty() && batch.length > 0 {
        return Err(format!("the batch has {} rows and no column", batch.length));
    }
    for (place, column) in batch.columns.iter().enumerate() {
        let bad = |what: &str| Err(format!("column {} of the batch {what}", place + 1));
        let length = match &column.data {
            Data::Boolean(values) => values.len(),
            Data::Int64(values) | Data::Timestamp(values) => values.len(),
            Data::Float64(values) => values.len(),
            Data::Text(values) | Data::Bytes(values) => match values.offsets.len().checked_sub(1) {
                Some(length) => length,
                None => return bad("has no offsets"),
            },
        };
        if length != batch.length {
            return bad(&format!(
                "holds {length} values where the batch has {} rows",
                batch.length
            ));
        }
        if !column.validity.is_empty() && column.validity.len() < batch.length.div_ceil(8) {
            return bad("has a validity that is shorter than its rows");
        }
        if let Data::Text(values) | Data::Bytes(values) = &column.data {
            if values.offsets[0] != 0 || !values.offsets.is_sorted() {
                return bad("has offsets that do not ascend from 0");
            }
            if values
                .offsets
                .last()
                .is_some_and(|&end| end as usize > values.data.len())
            {
                return bad("has offsets past the end of its data");
            }
        }
        if let Data::Text(values) = &column.data {
            let Ok(text) = std::str::from_utf8(&values.data) else {
                return bad("holds text that is not UTF-8");
            };
            if values
                .offsets
                .iter()
                .any(|&offset| !text.is_char_boundary(offset as usize))
            {
                return bad("has an offset inside a character");
            }
            if values.data.contains(&0) {
                return bad("holds text with a NUL, which PostgreSQL cannot store");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::columns::{Column, Var};

    fn column(data: Data) -> Column {
        Column {
            name: String::new(),
            type_name: String::new(),
            validity: Vec::new(),
            data,
        }
    }

    fn batch(length: usize, data: Data) -> Batch {
        Batch {
            length,
            columns: vec![column(data)],
        }
    }

    fn var(offsets: &[u32], data: &[u8]) -> Var {
        Var {
            offsets: offsets.to_vec(),
            data: data.to_vec(),
        }
    }

    #[test]
    fn a_well_formed_batch_passes() {
        assert_eq!(
            check(&batch(2, Data::Text(var(&[0, 1, 3], "aé".as_bytes())))),
            Ok(())
        );
        assert_eq!(
            check(&batch(1, Data::Bytes(var(&[0, 2], &[0xff, 0])))),
            Ok(())
        );
    }

    /// A guest's offsets index the host's memory and its text reaches the server: each lie is refused.
    #[test]
    fn lies_about_lengths_offsets_and_text_are_refused() {
        let lies = [
            (
                Batch {
                    length: 4_000_000_000,
                    columns: Vec::new(),
                },
                "no column",
            ),
            (batch(2, Data::Int64(vec![1])), "holds 1 values"),
            (batch(0, Data::Text(var(&[], b""))), "no offsets"),
            (batch(1, Data::Text(var(&[0, 9], b"abc"))), "past the end"),
            (
                batch(2, Data::Text(var(&[0, 3, 1], b"abc"))),
                "do not ascend",
            ),
            (batch(1, Data::Text(var(&[1, 2], b"abc"))), "do not ascend"),
            (
                batch(1, Data::Text(var(&[0, 2], &[0xc3, 0x28]))),
                "not UTF-8",
            ),
            (
                batch(1, Data::Text(var(&[0, 1], "é".as_bytes()))),
                "inside a character",
            ),
            (batch(1, Data::Text(var(&[0, 1], &[0]))), "NUL"),
        ];
        for (batch, expected) in lies {
            let refused = check(&batch).unwrap_err();
            assert!(refused.contains(expected), "{refused}");
        }
        let mut short = batch(9, Data::Boolean(vec![true; 9]));
        short.columns[0].validity = vec![255];
        assert!(check(&short).unwrap_err().contains("validity"));
    }
}
