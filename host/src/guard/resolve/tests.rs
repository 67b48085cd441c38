use super::*;
use crate::touched::Child;

mod effects;
mod functions;
mod relations;

fn some(columns: &[&str]) -> Columns {
    Columns::Some(columns.iter().map(|column| (*column).to_owned()).collect())
}

fn reading(columns: Columns) -> Access {
    Access {
        read: columns,
        ..Access::default()
    }
}

fn locking(columns: &[&str]) -> Access {
    Access {
        update: some(&[]),
        ..reading(some(columns))
    }
}

fn relation(kind: char, name: &str, access: Access, via: Option<&str>) -> Touched {
    let (schema, name) = name.split_once('.').unwrap_or(("s", name));
    Touched {
        relations: vec![Relation {
            schema: schema.into(),
            name: name.into(),
            kind,
            access,
            row_security: false,
            extension: None,
            children: Vec::new(),
            via: via.map(str::to_owned),
        }],
        ..Touched::default()
    }
}

fn with_child(kind: char, access: Access) -> Touched {
    let mut touched = relation('r', "parent", access, None);
    touched.relations[0].children.push(Child {
        schema: "s".into(),
        name: "child".into(),
        kind,
        partition: false,
    });
    touched
}

fn function(name: &str, arguments: &[&str], via: Option<&str>) -> Function {
    let (schema, name) = name.split_once('.').unwrap();
    Function {
        schema: schema.into(),
        name: name.into(),
        builtin: schema == "pg_catalog",
        arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
        kind: 'f',
        security_definer: false,
        extension: None,
        via: via.map(str::to_owned),
    }
}

fn call(name: &str, arguments: &[&str], via: Option<&str>) -> Touched {
    Touched {
        functions: vec![function(name, arguments, via)],
        ..Touched::default()
    }
}

fn operator(name: &str, extension: Option<&str>, via: Option<&str>) -> Touched {
    Touched {
        operators: vec![Operator {
            schema: "s".into(),
            name: name.into(),
            function: Some(function("s.same", &["integer", "integer"], None)),
            extension: extension.map(str::to_owned),
            via: via.map(str::to_owned),
        }],
        ..Touched::default()
    }
}

fn of_type(name: &str, constant: bool, extension: Option<&str>) -> Touched {
    let (schema, name) = name.split_once('.').unwrap();
    Touched {
        types: vec![Type {
            schema: schema.into(),
            name: name.into(),
            kind: 'b',
            constant,
            extension: extension.map(str::to_owned),
            via: None,
        }],
        ..Touched::default()
    }
}

fn other(class: &str, extension: Option<&str>) -> Touched {
    Touched {
        others: vec![thing(class, extension, None)],
        ..Touched::default()
    }
}

fn thing(class: &str, extension: Option<&str>, via: Option<&str>) -> Other {
    Other {
        class: class.into(),
        schema: Some("s".into()),
        name: "x".into(),
        extension: extension.map(str::to_owned),
        via: via.map(str::to_owned),
    }
}

fn both(mut one: Touched, two: Touched) -> Touched {
    one.relations.extend(two.relations);
    one.functions.extend(two.functions);
    one.operators.extend(two.operators);
    one.types.extend(two.types);
    one
}

fn lines(resolution: &Resolution) -> Vec<String> {
    let way = |reached: &Reached| {
        (reached.way.as_ref()).map_or(String::new(), |way| format!(" <- {way}"))
    };
    let needs = resolution.needs.iter();
    let needs = needs.map(|reached| format!("{}{}", reached.need, way(reached)));
    let denied = resolution.denied.iter();
    needs
        .chain(denied.map(|denial| format!("never {}", denial.what)))
        .collect()
}

#[track_caller]
fn all(rows: Vec<(Touched, &[&str])>) {
    for (touched, expected) in rows {
        let resolution = resolved(&touched, &Effects::default());
        assert_eq!(lines(&resolution), expected, "{touched:#?}");
    }
}

#[test]
fn names_of_the_catalog_cannot_forge_a_message() {
    let way = "view s.\"\u{202e}\n\"";
    let touched = relation('r', "t", reading(Columns::All), Some(way));
    let needs = resolved(&touched, &Effects::default()).needs;
    assert_eq!(needs[0].way.as_deref(), Some("view s.\"\\u{202e}\\n\""));
}
