//! Makes up versions, constraints, aliases and names: by their grammar, so that most are nearly right, and by
//! mutation of examples, so that the corners are met. Deterministic for a seed.

/// The characters that mutation inserts: all that mean something to Composer's patterns, and some that do not.
const ALPHABET: &str = "0123456789....---___+@#*xXvVabpRCrcdevDEV  ,|<>=!~^/:\n\t\r\0\u{b}\u{c}\u{e9}\u{212a}\u{17f}";

const VERSIONS: &[&str] = &[
    "1",
    "v1.2.3",
    "1.2.3.4",
    "1.2.3.4.5",
    "01.02.03",
    "  1.2.3 ",
    "1.2.3-stable-dev",
    "1.2.3-STABLE",
    "1.2.3-alpha.1",
    "1.2.3b2",
    "1.2.3_beta2",
    "1.0.0RC1",
    "1.2.3-patch.1.2",
    "v2.0.4-p1",
    "1.2.3-beta1-dev",
    "1.2.3-rc.1-dev",
    "1.2.3+build5",
    "1.2.3-beta.1+exp.sha",
    "1.2.3 +b",
    "1.0.x-dev",
    "1.0.0.x-dev",
    "1.*-dev",
    "x-dev",
    "master",
    "trunk",
    "default",
    "main",
    "dev-main",
    "DEV-main",
    "dev-feature/foo",
    "dev-feature#1",
    "feature/foo-dev",
    "dev-",
    "2024-01-02",
    "2024_01_02",
    "20240102.1",
    "20240102203040",
    "2024-01-02-203040",
    "20240102.203040-p1",
    "2019-03-01-rc1",
    "99999.1",
    "100000",
    "100000.0.0",
    "202401.1.2",
    "20100102.0.3",
    "2010.1.555",
    "1.0.0-alpha.beta",
    "1.0-SNAPSHOT",
    "1.0.0-Beta 1",
    "release-1.0.0",
    "1..0",
    "1.0.",
    "1.2.3@stable",
    "dev-main as 1.0.0",
    "1.0.0 as 2.0",
    "1.0.x-dev#abc",
    "2.x-dev+abc",
    "1.0.0c",
    "1.0.0b",
    "1.0\n@dev",
    "x\n1.x-dev",
    "1.0#dev",
    "1.0-beta\n#x",
    "1.0-rc1+x-dev",
    "9999999",
    "9999999-dev",
    "1.99999999999999999999.1",
];

const CONSTRAINTS: &[&str] = &[
    "*",
    "x",
    "v*",
    "x.x.*",
    "@dev",
    "1.2.*",
    "1.2.3.*",
    "v1.x",
    "0.*",
    "^1.2",
    "^0.2.3",
    "^0.0.3",
    "^v1",
    "~1.2",
    "~1.2.3.4",
    "~2.0.x-dev",
    "^2.*-dev",
    "~>1.0",
    "1.0 - 2.0",
    "1.0-beta - 2.0.0-dev",
    "0 - 0.0",
    "1.0  - 2.0",
    "v1.0+b - 2.x-dev",
    ">=1.0@beta",
    "<2.0@RC",
    ">= 1.0-RC1",
    "<1.0-beta",
    ">=1.0 <2.0",
    ">= 1.0, < 2.0 || ^3",
    "^1|^2||^3",
    "^1.0 || >=2.0 <=3.0",
    "dev-main#abc",
    "1.x-dev#abc",
    "dev-main as 1.0",
    "1.0  as 2.0",
    "foobar-dev",
    ">foobar-dev",
    "!=dev-main",
    "<>1.0",
    "==1.0",
    "1.0,2.0",
    "1.0,,2.0",
    "1.0 ,2.0",
    "1.0 , 2.0",
    "1.0\n,2.0",
    "1.0\nfoo",
    "^100000.0.0",
    "~99999999999999999999",
    "~1.99999999999999999999.1",
    "1.9223372036854775807.*",
    "dev-a b-dev",
    "- 1.0",
    "as 1.0",
    "=> 1.0",
    "^1.0 @dev",
    "dev-#a#b",
    "dev-a@dev",
    ">=1 <2@stable",
    "self.version",
    "1.0||",
    "",
];

const NAMES: &[&str] = &[
    "acme/lib",
    "a/b",
    "1/2",
    "acme/lib--x",
    "acme/lib---x",
    "acme--x/lib",
    "a_b.c-d/e",
    "acme/lib.json",
    "acme/lib.jsonx",
    "con/x",
    "x/nul",
    "Acme/lib",
    "acme",
    "a/b/c",
    "php",
    "php-64bit",
    "ext-json",
    "lib-icu",
    "hhvm",
    "composer-plugin-api",
    "composer",
    "ext-a.b_c",
    "lib-a--b",
];

/// A small generator of pseudo-random numbers (SplitMix64), so that a seed gives the same texts for ever.
pub struct Generator {
    state: u64,
}

impl Generator {
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).expect("below a usize")
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn word<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    pub fn version(&mut self) -> String {
        let version = match self.below(10) {
            0..2 => (self.word(VERSIONS)).to_owned(),
            2..4 => self.date(),
            4 => self.branch_name(),
            _ => self.numeric_version(),
        };
        if self.chance(35) { self.mutated(&version) } else { version }
    }

    /// Pieces that mean something, in any order and often: runs of digits around every limit, words that begin like others.
    pub fn adversarial(&mut self) -> String {
        const PIECES: &[&str] = &[
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551616",
            "9999999",
            "99999",
            "100000",
            "00",
            "0",
            "1",
            "01",
            "2024",
            "20240102",
            "dev",
            "dev-",
            "-dev",
            "alpha",
            "beta",
            "b",
            "a",
            "rc",
            "RC",
            "Rc",
            "patch",
            "pl",
            "p",
            "stable",
            "x",
            "X",
            "*",
            ".",
            ".",
            ".",
            "-",
            "-",
            "_",
            "+",
            "@",
            "#",
            "v",
            "V",
            "~",
            "^",
            ":",
            "/",
            " as ",
            "e5",
            "E+20",
            "INF",
            "nan",
            "0x1",
            "@dev",
            "master",
            "trunk",
            "alphabeta",
            "betaRC",
            "\u{660}",
            "\u{ff11}",
        ];
        let mut text = (self.word(&["", "", "1.", "1.0", "v1.", "dev-", "2024-"])).to_owned();
        for _ in 0..=self.below(8) {
            let piece = self.word(PIECES);
            let times = if self.chance(8) { self.below(40) } else { 1 };
            text += &piece.repeat(times);
        }
        text
    }

    fn numeric_version(&mut self) -> String {
        let mut text = (self.word(&["", "", "", "v", "V", " ", "r"])).to_owned();
        for at in 0..=self.below(5) {
            if at > 0 {
                text += self.word(&[".", ".", ".", ".", ".", ".", "-", "_"]);
            }
            text += self.word(&[
                "0", "0", "1", "1", "2", "3", "10", "00", "01", "12345", "123456", "2024", "9999999", "x", "*", "X", "",
            ]);
        }
        text += &self.modifier();
        if self.chance(8) {
            text += self.word(&["+build", "+b.1-x", "+", "+a+b", "+a b"]);
        }
        if self.chance(8) {
            text += self.word(&["@dev", "@stable", "@RC", "@rc", "@beta", "@Alpha", "@foo"]);
        }
        if self.chance(5) {
            text += self.word(&[" as 1.0", " as dev-x", "  as  2.0", " as 1 2", " AS 1"]);
        }
        text
    }

    fn modifier(&mut self) -> String {
        let mut text = String::new();
        if self.chance(45) {
            text += self.word(&["-", "-", ".", "_", "", "--"]);
            text += self.word(&[
                "stable", "beta", "b", "RC", "rc", "alpha", "a", "patch", "pl", "p", "Beta", "ALPHA", "foo", "PL",
                "Stable",
            ]);
            for _ in 0..self.below(3) {
                text += self.word(&["", "", ".", "-", "_"]);
                text += self.word(&["1", "2", "10", "01", "0"]);
            }
        }
        if self.chance(25) {
            text += self.word(&["-dev", "-dev", ".dev", "dev", "_dev", ".x-dev", "-DEV", ".*-dev", "-Dev", "--dev"]);
        }
        text
    }

    fn date(&mut self) -> String {
        let mut text = (self.word(&["", "", "v"])).to_owned();
        text += self.word(&["2024", "20240102", "202401", "2010.01.02", "2010-01-02", "1000", "123456"]);
        for _ in 0..self.below(6) {
            text += self.word(&["", ".", ".", "-", ":", "_"]);
            text += self.word(&["01", "02", "30", "1", "123", "0", "1234", "203040"]);
        }
        text + &self.modifier()
    }

    fn branch_name(&mut self) -> String {
        let mut text = (self.word(&["dev-", "dev-", "DEV-", "", "dev"])).to_owned();
        for at in 0..=self.below(3) {
            if at > 0 {
                text += self.word(&["/", "-", ".", "#", "_", "+"]);
            }
            text += self.word(&["main", "feature", "1", "x", "1.x", "rc", "alpha", "dev", "foo-dev", "p"]);
        }
        if self.chance(30) { text + "-dev" } else { text }
    }

    pub fn constraint(&mut self) -> String {
        if self.chance(15) {
            let seed = (self.word(CONSTRAINTS)).to_owned();
            return if self.chance(60) { self.mutated(&seed) } else { seed };
        }
        let mut text = self.requirement();
        for _ in 0..self.below(4) {
            text += self.word(&["||", "|", " || ", " | ", ", ", ",", " ", " ", " , ", "  ", " ,", "|||", "\t||\n"]);
            text += &self.requirement();
        }
        if self.chance(10) { self.mutated(&text) } else { text }
    }

    fn requirement(&mut self) -> String {
        match self.below(12) {
            0..4 => format!("{}{}", self.word(&["^", "~", "^", "~", "~>", "^ "]), self.plain_version()),
            4..7 => {
                let space = self.word(&["", "", " ", "  "]);
                format!(
                    "{}{space}{}",
                    self.word(&["<", "<=", ">", ">=", "=", "==", "!=", "<>", "=>"]),
                    self.plain_version()
                )
            }
            7 => format!("{}.{}", self.plain_numbers(), self.word(&["*", "x", "X", "*.*", "x.x"])),
            8 => format!(
                "{}{}{}",
                self.plain_version(),
                self.word(&[" - ", " - ", "  -  ", "-", " -"]),
                self.plain_version()
            ),
            9 => format!("{}{}", self.branch_name(), self.word(&["", "", "#abc", "@dev", " as 1.0", "#a#b"])),
            10 => (self.word(&["*", "x", "@dev", "@stable", "v*", "1.x-dev#abc", "*.*"])).to_owned(),
            _ => self.version(),
        }
    }

    /// Low numbers, so that ranges meet.
    fn plain_numbers(&mut self) -> String {
        let numbers: Vec<&str> =
            (0..=self.below(4)).map(|_| self.word(&["0", "0", "1", "1", "2", "3", "10", "01"])).collect();
        format!("{}{}", self.word(&["", "", "", "v"]), numbers.join("."))
    }

    /// A version near others: most are valid, and many are equal.
    pub fn plain_version(&mut self) -> String {
        let mut text = self.plain_numbers();
        if self.chance(30) {
            text += &self.modifier();
        }
        if self.chance(5) {
            text += "+build";
        }
        if self.chance(10) {
            text += self.word(&["@dev", "@stable", "@RC", "@beta", "@rc"]);
        }
        text
    }

    /// A version, a source and a target of an alias, and whether the branch is the default one.
    pub fn branch_alias(&mut self) -> [String; 4] {
        let version = if self.chance(50) { self.branch_name() } else { format!("{}.x-dev", self.plain_numbers()) };
        let source = match self.below(4) {
            0 => version.to_ascii_uppercase(),
            1 => self.branch_name(),
            _ => version.clone(),
        };
        let extended = version.strip_suffix(".x-dev").unwrap_or("1").to_owned();
        let target = match self.below(4) {
            0 => format!("{extended}.{}.x-dev", self.below(3)),
            1 => format!("{}{}", self.plain_numbers(), self.word(&["-dev", ".x-dev", ".*-dev", ".x", ""])),
            2 => {
                (self.word(&["9999999-dev", "dev-other", "2.x-dev", "foo-dev-dev", "v1.x-dev", "1.0.X-DEV"])).to_owned()
            }
            _ => self.version(),
        };
        // PHP turns keys of digits into integers, which the loader turns back.
        let default = self.word(&["default", "other"]);
        [version, source, target, default.to_owned()]
    }

    pub fn name(&mut self) -> String {
        if self.chance(30) {
            let seed = (self.word(NAMES)).to_owned();
            return self.mutated(&seed);
        }
        if self.chance(15) {
            let prefix = self.word(&["ext-", "lib-", "php-", "composer-", "Ext-", "ext"]);
            let middle = self.word(&["a", "zend", "64bit", "plugin-api", "x9", ""]);
            return format!("{prefix}{middle}{}", self.word(&["", "", "-b", ".b", "_b", "--b", "-", "/b"]));
        }
        let mut text = String::new();
        for at in 0..=self.below(5) {
            if at > 0 {
                text += self.word(&["/", "/", "-", "--", ".", "_", "", "---"]);
            }
            text += self.word(&["a", "acme", "lib", "0", "con", "com1", "json", "x9", "A", "php", "ext", "lib"]);
        }
        text
    }

    /// One to three small changes.
    fn mutated(&mut self, text: &str) -> String {
        let alphabet: Vec<char> = ALPHABET.chars().collect();
        let mut characters: Vec<char> = text.chars().collect();
        for _ in 0..=self.below(3) {
            let at = self.below(characters.len() + 1);
            match self.below(4) {
                0 if at < characters.len() => {
                    characters.remove(at);
                }
                1 if at < characters.len() => characters[at] = *self.pick(&alphabet),
                2 if at < characters.len() => characters.insert(at, characters[at]),
                _ => characters.insert(at, *self.pick(&alphabet)),
            }
        }
        characters.into_iter().collect()
    }
}
