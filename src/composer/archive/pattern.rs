//! The regular expressions that globs become, matched in time linear in the path.
//!
//! PCRE backtracks, and these expressions come from strangers, so they are run as a set of states. The `regex` crate does the same
//! and has no lookahead; the three that occur here look at one byte only, which a set of states can do.

use super::glob;

/// Nested groups beyond this make an expression invalid, as PCRE's own limit of 250 does.
const MAX_GROUPS: usize = 200;

/// What ends every expression: a match on a directory holds for all below it.
const BOUNDARY: &[u8] = b"(?=$|/)";

/// A rule's pattern, ready to be matched.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    /// Whether a match has to begin at the path's first byte.
    anchored: bool,
    program: Vec<Step>,
}

#[derive(Debug, Clone)]
enum Step {
    /// Consumes one byte of the set.
    Byte(Set),
    /// Continues at both places.
    Fork(usize, usize),
    /// Continues there.
    Jump(usize),
    /// Passes at the path's first byte.
    Start,
    /// Passes where a byte follows that is no dot.
    NoDot,
    /// Passes at the end of the path and before a slash.
    Boundary,
    /// The whole pattern has matched.
    Match,
}

/// A set of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Set([u64; 4]);

impl Set {
    const EMPTY: Self = Self([0; 4]);

    const fn one(byte: u8) -> Self {
        let mut set = Self::EMPTY;
        set.add(byte);
        set
    }

    const fn add(&mut self, byte: u8) {
        self.0[(byte >> 6) as usize] |= 1 << (byte & 63);
    }

    const fn has(&self, byte: u8) -> bool {
        self.0[(byte >> 6) as usize] >> (byte & 63) & 1 == 1
    }

    const fn inverse(self) -> Self {
        let [a, b, c, d] = self.0;
        Self([!a, !b, !c, !d])
    }
}

impl Pattern {
    /// The pattern of a rule without its `!` (`BaseExcludeFilter::generatePattern`), or `None` if PCRE would not compile it.
    pub(super) fn new(rule: &[u8]) -> Option<Self> {
        let slash = rule.iter().position(|c| *c == b'/');
        let anchored = slash == Some(0);
        let whole_segment = slash.is_none_or(|at| at == 0 || at + 1 == rule.len());
        let start = rule.iter().position(|c| *c != b'/').unwrap_or(rule.len());
        let end = rule.iter().rposition(|c| *c != b'/').map_or(start, |n| n + 1);
        let prefix: &[u8] = match (anchored, whole_segment) {
            (true, _) => b"^/",
            (false, true) => b"/",
            (false, false) => b"",
        };
        let regex = [prefix, &glob::to_regex(rule.get(start..end)?), BOUNDARY].concat();
        if ends_early(&regex) {
            return None;
        }
        let mut compiler = Compiler { regex: &regex, at: 0, groups: 0, program: Vec::with_capacity(regex.len()) };
        let alternatives = compiler.alternatives()?;
        if compiler.at < regex.len() {
            return None;
        }
        let mut program = compiler.program;
        program.push(Step::Match);
        Some(Self { anchored: anchored && alternatives == 1, program })
    }

    /// Whether the pattern matches in a path that begins with a slash.
    pub(super) fn matches(&self, path: &[u8]) -> bool {
        let mut now = States::new(self.program.len());
        let mut next = States::new(self.program.len());
        let mut pending = Vec::new();
        for at in 0..=path.len() {
            if at == 0 || !self.anchored {
                pending.push(0);
            }
            let rest = path.get(at..).unwrap_or_default();
            while let Some(step) = pending.pop() {
                if step == self.program.len() - 1 {
                    return true;
                }
                if now.insert(step) {
                    self.advance(step, (at, rest), &mut pending, &mut next);
                }
            }
            if self.anchored && next.list.is_empty() {
                return false;
            }
            pending.append(&mut next.list);
            now.clear();
            next.clear();
        }
        false
    }

    /// Follows one step at a place in the path, of which `rest` remains.
    fn advance(&self, step: usize, (at, rest): (usize, &[u8]), pending: &mut Vec<usize>, next: &mut States) {
        match self.program.get(step) {
            Some(Step::Start) => {
                if at == 0 {
                    pending.push(step + 1);
                }
            }
            Some(Step::Byte(set)) => {
                if rest.first().is_some_and(|byte| set.has(*byte)) {
                    next.list.push(step + 1);
                }
            }
            Some(Step::Fork(a, b)) => pending.extend([*a, *b]),
            Some(Step::Jump(to)) => pending.push(*to),
            Some(Step::NoDot) => {
                if rest.first().is_some_and(|byte| *byte != b'.') {
                    pending.push(step + 1);
                }
            }
            Some(Step::Boundary) => {
                // PCRE's `$` also matches before a line feed at the very end.
                if matches!(rest, [] | [b'/', ..] | [b'\n']) {
                    pending.push(step + 1);
                }
            }
            Some(Step::Match) | None => {}
        }
    }
}

/// Whether there is a closing brace in the expression. Composer's delimiters are braces, and PHP looks for the second without
/// reading the expression, so that what follows would be modifiers, which never compiles.
fn ends_early(regex: &[u8]) -> bool {
    let mut bytes = regex.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'}' => return true,
            _ => {}
        }
    }
    false
}

/// The states that were reached at one place, each once.
struct States {
    list: Vec<usize>,
    seen: Vec<bool>,
    marked: Vec<usize>,
}

impl States {
    fn new(size: usize) -> Self {
        Self { list: Vec::new(), seen: vec![false; size], marked: Vec::new() }
    }

    fn insert(&mut self, state: usize) -> bool {
        match self.seen.get_mut(state) {
            Some(seen) if !*seen => {
                *seen = true;
                self.marked.push(state);
                true
            }
            _ => false,
        }
    }

    fn clear(&mut self) {
        for state in self.marked.drain(..) {
            if let Some(seen) = self.seen.get_mut(state) {
                *seen = false;
            }
        }
        self.list.clear();
    }
}

/// Turns an expression of [`glob::to_regex`] into a program. Knows what that function can write, and no more of PCRE.
struct Compiler<'a> {
    regex: &'a [u8],
    at: usize,
    groups: usize,
    program: Vec<Step>,
}

impl Compiler<'_> {
    fn peek(&self) -> Option<u8> {
        self.regex.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn eat(&mut self, text: &[u8]) -> bool {
        let found = self.regex.get(self.at..).is_some_and(|rest| rest.starts_with(text));
        if found {
            self.at += text.len();
        }
        found
    }

    /// `a|b|c`, up to a closing parenthesis or the end. Gives their number.
    fn alternatives(&mut self) -> Option<usize> {
        let mut exits = Vec::new();
        loop {
            let start = self.program.len();
            self.sequence()?;
            if !self.eat(b"|") {
                break;
            }
            // Before this alternative, a fork to it and to the next one; after it, a jump to the end.
            self.insert_at(start, Step::Fork(start + 1, self.program.len() + 2));
            exits.push(self.program.len());
            self.program.push(Step::Jump(0));
        }
        let end = self.program.len();
        let count = exits.len() + 1;
        for exit in exits {
            *self.program.get_mut(exit)? = Step::Jump(end);
        }
        Some(count)
    }

    /// Makes room for a step and shifts the targets of the steps behind it, which were all written after `at`.
    fn insert_at(&mut self, at: usize, step: Step) {
        for later in self.program.iter_mut().skip(at) {
            match later {
                Step::Fork(a, b) => (*a, *b) = (*a + 1, *b + 1),
                Step::Jump(to) => *to += 1,
                Step::Byte(_) | Step::Start | Step::NoDot | Step::Boundary | Step::Match => {}
            }
        }
        self.program.insert(at, step);
    }

    fn sequence(&mut self) -> Option<()> {
        while let Some(byte) = self.peek() {
            if matches!(byte, b'|' | b')') {
                break;
            }
            let start = self.program.len();
            self.atom()?;
            self.quantifier(start);
        }
        Some(())
    }

    fn atom(&mut self) -> Option<()> {
        if self.eat(br"(?=[^\.])") {
            self.program.push(Step::NoDot);
            return Some(());
        }
        if self.eat(BOUNDARY) {
            self.program.push(Step::Boundary);
            return Some(());
        }
        let set = match self.next()? {
            b'(' => return self.group(),
            b'[' => self.class()?,
            b'\\' => Set::one(self.next()?),
            b'^' => {
                self.program.push(Step::Start);
                return Some(());
            }
            byte => Set::one(byte),
        };
        self.program.push(Step::Byte(set));
        Some(())
    }

    fn group(&mut self) -> Option<()> {
        self.eat(b"?:");
        self.groups += 1;
        if self.groups > MAX_GROUPS {
            return None;
        }
        self.alternatives()?;
        self.groups -= 1;
        self.eat(b")").then_some(())
    }

    /// `*`, `?` and `++` behind what begins at `start`. (That `++` is possessive makes no difference before a slash or the end.)
    fn quantifier(&mut self, start: usize) {
        if self.eat(b"*") {
            let end = self.program.len() + 2;
            self.insert_at(start, Step::Fork(start + 1, end));
            self.program.push(Step::Jump(start));
        } else if self.eat(b"++") {
            let end = self.program.len() + 1;
            self.program.push(Step::Fork(start, end));
        } else if self.eat(b"?") {
            let end = self.program.len() + 1;
            self.insert_at(start, Step::Fork(start + 1, end));
        }
    }

    /// A character class, its opening bracket already read.
    fn class(&mut self) -> Option<Set> {
        let negated = self.eat(b"^");
        let mut set = Set::EMPTY;
        let mut first = true;
        loop {
            let byte = self.next()?;
            if byte == b']' && !first {
                break;
            }
            first = false;
            if byte == b'[' && self.named_class(&mut set)? {
                // A range cannot begin with a class.
                if self.peek() == Some(b'-') && self.regex.get(self.at + 1) != Some(&b']') {
                    return None;
                }
                continue;
            }
            self.range(byte, &mut set)?;
        }
        Some(if negated { set.inverse() } else { set })
    }

    /// One byte or a range that begins with it.
    fn range(&mut self, byte: u8, set: &mut Set) -> Option<()> {
        let low = if byte == b'\\' { self.next()? } else { byte };
        let ranges = self.peek() == Some(b'-') && !matches!(self.regex.get(self.at + 1), None | Some(b']'));
        if !ranges {
            set.add(low);
            return Some(());
        }
        self.at += 1;
        let high = match self.next()? {
            b'\\' => self.next()?,
            b'[' if self.named_class(&mut Set::EMPTY.clone())? => return None,
            byte => byte,
        };
        if high < low {
            return None;
        }
        (low..=high).for_each(|byte| set.add(byte));
        Some(())
    }

    /// `[:alpha:]` and the like, the bracket already read. `Some(false)` if it is just a bracket, `None` if PCRE refuses it.
    fn named_class(&mut self, set: &mut Set) -> Option<bool> {
        let rest = self.regex.get(self.at..).unwrap_or_default();
        let Some(&mark @ (b':' | b'=')) = rest.first() else {
            return Some(false);
        };
        let Some(length) = closing(rest.get(1..)?, mark) else {
            return Some(false);
        };
        if mark == b'=' {
            return None;
        }
        let belongs = named(rest.get(1..=length)?)?;
        (0..=u8::MAX).filter(belongs).for_each(|byte| set.add(byte));
        self.at += length + 3;
        Some(true)
    }
}

/// How long the name of a class is, if its end comes before the enclosing class's.
fn closing(rest: &[u8], mark: u8) -> Option<usize> {
    let end = rest.windows(2).position(|pair| pair == [mark, b']'])?;
    let name = rest.get(..end)?;
    (!name.iter().any(|c| matches!(c, b']' | b'['))).then_some(end)
}

/// The members of a POSIX class.
fn named(name: &[u8]) -> Option<fn(&u8) -> bool> {
    Some(match name {
        b"alpha" => u8::is_ascii_alphabetic,
        b"lower" => u8::is_ascii_lowercase,
        b"upper" => u8::is_ascii_uppercase,
        b"alnum" => u8::is_ascii_alphanumeric,
        b"ascii" => u8::is_ascii,
        b"blank" => |c| matches!(c, b' ' | b'\t'),
        b"cntrl" => u8::is_ascii_control,
        b"digit" => u8::is_ascii_digit,
        b"graph" => u8::is_ascii_graphic,
        b"print" => |c| c.is_ascii_graphic() || *c == b' ',
        b"punct" => u8::is_ascii_punctuation,
        b"space" => |c| matches!(c, b' ' | b'\t'..=b'\r'),
        b"word" => |c| c.is_ascii_alphanumeric() || *c == b'_',
        b"xdigit" => u8::is_ascii_hexdigit,
        _ => return None,
    })
}
