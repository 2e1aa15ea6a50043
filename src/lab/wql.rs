//! WQL, as much of it as management clients send: `select a,b from C where x='y' and not …`.

use std::fmt;

/// `select … from … where …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    pub class: String,
    /// `None` for `*`.
    pub properties: Option<Vec<String>>,
    pub condition: Option<Condition>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    Or(Vec<Self>),
    And(Vec<Self>),
    Equal(String, Literal),
    Unequal(String, Literal),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    Text(String),
    Number(i64),
    Bool(bool),
    Null,
}

/// The text is no query that this server reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadQuery(pub String);

impl fmt::Display for BadQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid query: {}", self.0)
    }
}

impl Condition {
    /// `equal` says whether a property equals a literal; `None` if the class has no such property.
    pub fn test(&self, equal: &impl Fn(&str, &Literal) -> Option<bool>) -> Option<bool> {
        match self {
            Self::Equal(name, literal) => equal(name, literal),
            Self::Unequal(name, literal) => equal(name, literal).map(|equal| !equal),
            Self::Or(parts) => {
                parts.iter().try_fold(false, |any, part| Some(part.test(equal)? || any))
            }
            Self::And(parts) => {
                parts.iter().try_fold(true, |all, part| Some(part.test(equal)? && all))
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Number(i64),
    Mark(&'static str),
}

/// Longest query that is read; WQL's own limit is of this order.
const LONGEST: usize = 16_384;

/// Reads a query; words compare without case.
pub fn parse(text: &str) -> Result<Query, BadQuery> {
    if text.len() > LONGEST {
        return Err(BadQuery("too long".to_owned()));
    }
    let mut parser = Parser { tokens: tokens(text)?.into_iter().peekable() };
    let query = parser.query()?;
    match parser.tokens.next() {
        None => Ok(query),
        Some(token) => Err(BadQuery(format!("unexpected {token:?}"))),
    }
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
}

impl Parser {
    fn query(&mut self) -> Result<Query, BadQuery> {
        self.keyword("select")?;
        let mut names = Vec::new();
        let properties = if self.mark("*") {
            None
        } else {
            names.push(self.name()?);
            while self.mark(",") {
                names.push(self.name()?);
            }
            Some(names)
        };
        self.keyword("from")?;
        let class = self.name()?;
        let condition = if self.word("where") { Some(self.or(0)?) } else { None };
        Ok(Query { class, properties, condition })
    }

    fn or(&mut self, depth: usize) -> Result<Condition, BadQuery> {
        let mut parts = vec![self.and(depth)?];
        while self.word("or") {
            parts.push(self.and(depth)?);
        }
        Ok(single(parts, Condition::Or))
    }

    fn and(&mut self, depth: usize) -> Result<Condition, BadQuery> {
        let mut parts = vec![self.term(depth)?];
        while self.word("and") {
            parts.push(self.term(depth)?);
        }
        Ok(single(parts, Condition::And))
    }

    fn term(&mut self, depth: usize) -> Result<Condition, BadQuery> {
        if depth > 32 {
            return Err(BadQuery("nested too deeply".to_owned()));
        }
        if self.mark("(") {
            let inner = self.or(depth + 1)?;
            return if self.mark(")") { Ok(inner) } else { Err(self.wanted(")")) };
        }
        let name = self.name()?;
        let unequal = self.mark("<>") || self.mark("!=");
        if !unequal && !self.mark("=") {
            return Err(self.wanted("= or <>"));
        }
        let literal = match self.tokens.next() {
            Some(Token::Text(text)) => Literal::Text(text),
            Some(Token::Number(number)) => Literal::Number(number),
            Some(Token::Word(word)) => match word.to_ascii_lowercase().as_str() {
                "true" => Literal::Bool(true),
                "false" => Literal::Bool(false),
                "null" => Literal::Null,
                _ => return Err(BadQuery(format!("`{word}` is no literal"))),
            },
            Some(Token::Mark(_)) | None => return Err(self.wanted("a literal")),
        };
        Ok(if unequal {
            Condition::Unequal(name, literal)
        } else {
            Condition::Equal(name, literal)
        })
    }

    fn name(&mut self) -> Result<String, BadQuery> {
        match self.tokens.next() {
            Some(Token::Word(word)) => Ok(word),
            Some(Token::Text(_) | Token::Number(_) | Token::Mark(_)) | None => {
                Err(self.wanted("a name"))
            }
        }
    }

    fn keyword(&mut self, word: &str) -> Result<(), BadQuery> {
        if self.word(word) { Ok(()) } else { Err(self.wanted(word)) }
    }

    fn word(&mut self, word: &str) -> bool {
        self.tokens
            .next_if(|token| matches!(token, Token::Word(own) if own.eq_ignore_ascii_case(word)))
            .is_some()
    }

    fn mark(&mut self, mark: &'static str) -> bool {
        self.tokens.next_if_eq(&Token::Mark(mark)).is_some()
    }

    fn wanted(&mut self, what: &str) -> BadQuery {
        match self.tokens.peek() {
            Some(token) => BadQuery(format!("expected {what} before {token:?}")),
            None => BadQuery(format!("expected {what} at the end")),
        }
    }
}

fn single(mut parts: Vec<Condition>, many: fn(Vec<Condition>) -> Condition) -> Condition {
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => only,
        (Some(last), false) => {
            parts.push(last);
            many(parts)
        }
        (None, _) => many(parts),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, BadQuery> {
    let mut found = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            c if c.is_whitespace() => {}
            '\'' | '"' => found.push(Token::Text(quoted(&mut rest, c)?)),
            '*' => found.push(Token::Mark("*")),
            ',' => found.push(Token::Mark(",")),
            '(' => found.push(Token::Mark("(")),
            ')' => found.push(Token::Mark(")")),
            '=' => found.push(Token::Mark("=")),
            '<' if rest.next_if_eq(&'>').is_some() => found.push(Token::Mark("<>")),
            '!' if rest.next_if_eq(&'=').is_some() => found.push(Token::Mark("!=")),
            c if c.is_ascii_digit() || c == '-' => {
                let mut digits = String::from(c);
                while let Some(digit) = rest.next_if(char::is_ascii_digit) {
                    digits.push(digit);
                }
                let number = digits.parse().map_err(|_| BadQuery(format!("number `{digits}`")))?;
                found.push(Token::Number(number));
            }
            c if c.is_alphabetic() || c == '_' => {
                let mut word = String::from(c);
                while let Some(c) = rest.next_if(|c| c.is_alphanumeric() || *c == '_') {
                    word.push(c);
                }
                found.push(Token::Word(word));
            }
            other => return Err(BadQuery(format!("character `{other}`"))),
        }
    }
    Ok(found)
}

/// The text up to the closing quote; a backslash escapes what follows it.
fn quoted(
    rest: &mut std::iter::Peekable<std::str::Chars<'_>>,
    quote: char,
) -> Result<String, BadQuery> {
    let mut text = String::new();
    loop {
        match rest.next() {
            None => return Err(BadQuery("a quote is not closed".to_owned())),
            Some('\\') => text.extend(rest.next()),
            Some(c) if c == quote => return Ok(text),
            Some(c) => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, name: &str, expected: Option<bool>) {
        let query = parse(text).unwrap();
        let known = |property: &str, literal: &Literal| {
            property
                .eq_ignore_ascii_case("Name")
                .then(|| matches!(literal, Literal::Text(text) if text.eq_ignore_ascii_case(name)))
        };
        let found = query.condition.map_or(Some(true), |condition| condition.test(&known));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn conditions_bind_and_before_or() {
        check("SELECT Name FROM C WHERE Name='a' OR Name='b' AND Name<>'b'", "a", Some(true));
        check("select * from C where (name='a' or name='b') and name<>'b'", "b", Some(false));
        check("select * from C", "b", Some(true));
    }

    #[test]
    fn a_property_that_the_class_lacks_is_told() {
        check("select * from C where Nope=1 or Name='a'", "a", None);
    }

    #[test]
    fn lists_and_escapes_are_read() {
        let query = parse(r#"select A, b from C where Path="C:\\x \"y\"" and N=-5"#).unwrap();
        assert_eq!(query.properties, Some(vec!["A".to_owned(), "b".to_owned()]));
        let Some(Condition::And(parts)) = query.condition else { panic!("no and") };
        assert_eq!(
            parts,
            [
                Condition::Equal("Path".into(), Literal::Text(r#"C:\x "y""#.into())),
                Condition::Equal("N".into(), Literal::Number(-5)),
            ]
        );
    }

    #[test]
    fn what_is_no_query_is_refused() {
        for text in [
            "",
            "select",
            "select * from",
            "select * from C where",
            "select * from C where a like 'b'",
            "select * from C where a='b",
            "select * from C x",
            "select a, from C",
            "select * from C where a=99999999999999999999",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        let deep = format!("select * from C where {}a=1", "(".repeat(100));
        assert!(parse(&deep).is_err());
    }
}
