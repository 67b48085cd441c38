//! Whatever the text is, the wall answers; and a statement with a clause more never needs less.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::guard::grants::{Grant, Kind, Subject};

/// What is read or updated of a table: all, or these columns.
fn columns(need: &Need) -> Option<(Kind, &Name, bool, Vec<String>)> {
    let names = |columns: &BTreeSet<_>| -> Vec<String> {
        columns.iter().map(ToString::to_string).collect()
    };
    match need {
        Need::Columns {
            kind,
            table,
            columns,
        } => Some((*kind, table, false, names(columns))),
        Need::Grant(Grant {
            kind,
            subject: Subject::Columns(table, columns),
        }) => Some((*kind, table, columns.is_empty(), names(columns))),
        _ => None,
    }
}

/// Whether whoever may have `more` may have `less` as well.
fn covers(more: &Need, less: &Need) -> bool {
    match (columns(more), columns(less)) {
        (Some(more), Some(less)) => {
            let same = (more.0, more.1) == (less.0, less.1);
            same && (more.2 || (!less.2 && less.3.iter().all(|column| more.3.contains(column))))
        }
        _ => match (more, less) {
            (Need::Grant(more), Need::Grant(less)) => more.allows(less),
            _ => more == less,
        },
    }
}

/// Parts of a statement; each may be there or not.
struct Template {
    parts: &'static [(&'static str, bool)],
}

/// Templates: text that is always there, and clauses (`true`) that may be.
const TEMPLATES: &[Template] = &[
    Template {
        parts: &[
            ("WITH c AS (SELECT k.a FROM public.k k)", true),
            (
                ", d AS (DELETE FROM public.gone g WHERE g.z = 1 RETURNING g.y)",
                false,
            ),
            ("SELECT x.a", false),
            (", public.f(x.b, 1)", true),
            (
                ", (SELECT max(m.n) FROM public.m m WHERE m.id = x.id)",
                true,
            ),
            (", x.*", true),
            (", nextval('public.s')", true),
            (", x.c::public.mood", true),
            (", x.c OPERATOR(ext.%) 'a'", true),
            (
                ", sum(x.w) FILTER (WHERE x.v > 1) OVER (PARTITION BY x.u ORDER BY x.t)",
                true,
            ),
            ("FROM public.t x", false),
            ("JOIN public.u y ON y.id = x.id", true),
            (
                "LEFT JOIN LATERAL (SELECT z.p FROM public.z z WHERE z.q = x.q) l ON true",
                true,
            ),
            (
                "CROSS JOIN ROWS FROM (generate_series(1, x.n), public.g()) r",
                true,
            ),
            (
                "WHERE EXISTS (SELECT s.k FROM public.secret s WHERE s.k = x.k)",
                true,
            ),
            ("ORDER BY x.o", true),
            ("LIMIT (SELECT count(*) FROM public.lim)", true),
            ("FOR UPDATE", true),
        ],
    },
    Template {
        parts: &[
            ("WITH c AS (SELECT k.a FROM public.k k)", true),
            ("INSERT INTO public.t AS x (a)", false),
            ("SELECT y.a FROM public.u y", false),
            ("WHERE y.b = 1", true),
            ("ON CONFLICT (a) DO UPDATE SET b = excluded.b", true),
            ("RETURNING x.c", true),
            (", public.f()", false),
        ],
    },
    Template {
        parts: &[
            ("UPDATE public.t x SET a = x.b + 1", false),
            (", c = (SELECT max(m.n) FROM public.m m)", true),
            (
                ", (d, e) = (SELECT q.d, q.e FROM public.q q WHERE q.id = x.id)",
                true,
            ),
            ("FROM public.u y", true),
            ("WHERE x.id > 3", true),
            ("RETURNING x.z, new.y", true),
        ],
    },
    Template {
        parts: &[
            ("DELETE FROM public.t x", false),
            ("USING public.u y", true),
            ("WHERE x.id IN (SELECT s.id FROM public.secret s)", true),
            ("RETURNING x.*", true),
        ],
    },
    Template {
        parts: &[
            (
                "MERGE INTO public.t x USING public.u y ON x.id = y.id",
                false,
            ),
            ("WHEN MATCHED AND x.z = 1 THEN DELETE", true),
            ("WHEN MATCHED THEN UPDATE SET a = y.a", true),
            ("WHEN NOT MATCHED THEN INSERT (a) VALUES (y.b)", true),
            ("WHEN NOT MATCHED BY SOURCE THEN DO NOTHING", false),
        ],
    },
    Template {
        parts: &[
            ("ALTER TABLE public.t ADD COLUMN a int", false),
            ("DEFAULT public.f()", true),
            ("CHECK (a > 1)", true),
            ("REFERENCES public.u (id)", true),
            (", ALTER b TYPE public.mood USING public.g(c)", true),
            (", DROP COLUMN d", true),
            (", VALIDATE CONSTRAINT e", true),
        ],
    },
    Template {
        parts: &[
            ("CREATE TABLE public.n (a int", false),
            (", b public.mood", true),
            (", c int DEFAULT public.f()", true),
            (", d int REFERENCES public.u", true),
            (
                ", EXCLUDE USING gist (a ext.ops WITH OPERATOR(ext.&&))",
                true,
            ),
            (")", false),
        ],
    },
    Template {
        parts: &[
            ("CREATE INDEX ON public.t (a", false),
            ("ext.ops", true),
            (", (public.f(b))", true),
            (")", false),
            ("WHERE public.g(c)", true),
        ],
    },
];

/// A part of the first template belongs to the clause before it.
fn written(template: &Template, chosen: &[bool]) -> String {
    let mut clause = true;
    let mut sql = String::new();
    for (at, (part, optional)) in template.parts.iter().enumerate() {
        let belongs = part.starts_with(", d AS") || part.starts_with(", public.f()");
        let here = match (optional, belongs) {
            (true, _) => chosen[at],
            (false, true) => clause,
            (false, false) => true,
        };
        clause = here;
        if here {
            sql.push_str(part);
            sql.push(' ');
        }
    }
    sql
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_answered(sql in any::<String>()) {
        required(&sql);
    }

    #[test]
    fn any_text_of_sql_is_answered(words in prop::collection::vec(select(WORDS), 0..40)) {
        required(&words.join(" "));
    }

    #[test]
    fn any_change_to_a_statement_is_answered(
        first in any::<Index>(),
        second in any::<Index>(),
        cut in any::<Index>(),
        join in any::<Index>(),
        word in select(WORDS),
    ) {
        let all: Vec<_> = expected();
        let sql = |at: &Index| at.get(&all)["statement"].as_str().unwrap().chars().collect::<Vec<_>>();
        let (first, second) = (sql(&first), sql(&second));
        let head = first[..cut.index(first.len() + 1)].iter().collect::<String>();
        let tail = second[join.index(second.len() + 1)..].iter().collect::<String>();
        required(&format!("{head}{tail}"));
        required(&format!("{head} {word} {tail}"));
    }

    #[test]
    fn a_clause_more_never_needs_less(
        template in 0..TEMPLATES.len(),
        chosen in prop::collection::vec(any::<bool>(), 20),
        added in any::<Index>(),
    ) {
        let template = &TEMPLATES[template];
        let without = written(template, &chosen);
        let optional: Vec<usize> = template.parts.iter().enumerate()
            .filter(|(_, part)| part.1).map(|(at, _)| at).collect();
        let mut chosen = chosen;
        chosen[*added.get(&optional)] = true;
        let with = written(template, &chosen);
        let (less, more) = (required(&without), required(&with));
        prop_assert!(less.denied.is_empty(), "{without}: {:?}", less.denied);
        prop_assert!(more.denied.is_empty(), "{with}: {:?}", more.denied);
        for need in &less.needs {
            let covered = more.needs.iter().any(|more| covers(more, need));
            prop_assert!(covered, "{need} of\n{without}\nis missing of\n{with}: {:?}", more.needs);
        }
        if without != with {
            prop_assert!(!less.needs.is_empty());
        }
    }

    #[test]
    fn a_line_of_any_text_is_read_or_refused_in_its_bounds(text in any::<String>(), line in "(read|alter|call|create table|code trigger) [a-z\"]{0,3}\\.?[a-z\"*]{0,3}[(:) ,a-z=0-9-]{0,20}") {
        for text in [text, line] {
            match Grant::parse(&text) {
                Ok(grant) => prop_assert_eq!(Grant::parse(&grant.to_string()), Ok(grant)),
                Err(error) => prop_assert!(text.get(error.span).is_some()),
            }
        }
    }
}

/// Words that reach much of the grammar.
const WORDS: &[&str] = &[
    "select",
    "from",
    "where",
    "with",
    "recursive",
    "as",
    "(",
    ")",
    ",",
    ";",
    "*",
    ".",
    "a",
    "b",
    "public.t",
    "insert into",
    "values",
    "update",
    "set",
    "delete",
    "returning",
    "merge into",
    "using",
    "on",
    "when matched then",
    "create table",
    "create index",
    "alter table",
    "add column",
    "drop",
    "cascade",
    "1",
    "'x'",
    "$1",
    "::",
    "int",
    "public.f(",
    "f(",
    "=",
    "operator(public.+)",
    "join",
    "lateral",
    "group by",
    "order by",
    "limit",
    "for update",
    "union",
    "null",
    "array[",
    "]",
    "case when",
    "then",
    "end",
    "exists",
    "in",
    "over (",
    "filter (where",
    "json_table(",
    "xmltable(",
    "columns",
    "path",
    "execute",
    "explain",
    "copy",
    "function",
    "language sql",
    "begin atomic",
    "constraint",
    "check",
    "references",
    "default",
    "generated always as",
    "partition of",
    "primary key",
    "collate",
    "u&\"\\0061\"",
    "$$",
    "/*",
    "*/",
    "--",
    "\n",
    "'",
    "\"",
    "do",
    "comment on",
    "is",
    "not",
    "table",
    "view",
    "grant",
    "all",
    "to",
    "interval",
    "row(",
];
