//! A topic's name, which says where it is.

/// The partitions of AWS and what the hosts of each end in (AWS's own endpoint table).
const PARTITIONS: [(&str, &str); 8] = [
    ("aws", "amazonaws.com"),
    ("aws-cn", "amazonaws.com.cn"),
    ("aws-us-gov", "amazonaws.com"),
    ("aws-iso", "c2s.ic.gov"),
    ("aws-iso-b", "sc2s.sgov.gov"),
    ("aws-iso-e", "cloud.adc-e.uk"),
    ("aws-iso-f", "csp.hci.ic.gov"),
    ("aws-eusc", "amazonaws.eu"),
];

/// A topic of SNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    arn: String,
    region: String,
    suffix: &'static str,
}

impl Topic {
    /// Reads `arn:PARTITION:sns:REGION:ACCOUNT:NAME`.
    #[must_use]
    pub fn parse(arn: &str) -> Option<Self> {
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", partition, "sns", region, account, name] = parts.as_slice() else { return None };
        let suffix = PARTITIONS.iter().find(|(known, _)| known == partition)?.1;
        let is_region = (3..=30).contains(&region.len())
            && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !region.starts_with('-')
            && !region.ends_with('-');
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        let is_name = (1..=256).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        let topic = Self { arn: arn.to_owned(), region: (*region).to_owned(), suffix };
        (is_region && is_account && is_name).then_some(topic)
    }

    /// The name, as AWS writes it.
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// What the names of its partition's hosts end in.
    pub(super) const fn suffix(&self) -> &'static str {
        self.suffix
    }

    /// The only host that speaks for it.
    #[must_use]
    pub fn host(&self) -> String {
        format!("sns.{}.{}", self.region, self.suffix)
    }
}

#[cfg(test)]
mod tests {
    use super::Topic;

    #[test]
    fn each_partition_has_hosts_of_its_own() {
        for (arn, host) in [
            ("arn:aws:sns:us-east-2:111122223333:pushes", "sns.us-east-2.amazonaws.com"),
            ("arn:aws:sns:eu-west-1:111122223333:pushes.fifo", "sns.eu-west-1.amazonaws.com"),
            ("arn:aws-cn:sns:cn-north-1:111122223333:a_b-c", "sns.cn-north-1.amazonaws.com.cn"),
            ("arn:aws-us-gov:sns:us-gov-west-1:111122223333:x", "sns.us-gov-west-1.amazonaws.com"),
            ("arn:aws-iso:sns:us-iso-east-1:111122223333:x", "sns.us-iso-east-1.c2s.ic.gov"),
            ("arn:aws-iso-b:sns:us-isob-east-1:111122223333:x", "sns.us-isob-east-1.sc2s.sgov.gov"),
            ("arn:aws-eusc:sns:eusc-de-east-1:111122223333:x", "sns.eusc-de-east-1.amazonaws.eu"),
        ] {
            assert_eq!(Topic::parse(arn).map(|topic| topic.host()).as_deref(), Some(host), "{arn}");
        }
    }

    #[test]
    fn nothing_else_is_a_topic() {
        for arn in [
            "",
            "arn:aws:sns:us-east-2:111122223333",
            "arn:aws:sqs:us-east-2:111122223333:x",
            "arn:azure:sns:us-east-2:111122223333:x",
            "arn:aws:sns:evil.com/:111122223333:x",
            "arn:aws:sns:us-east-2.evil.com#:111122223333:x",
            "arn:aws:sns:-us:111122223333:x",
            "arn:aws:sns:us-east-2:11112222333:x",
            "arn:aws:sns:us-east-2:111122223333:",
            "arn:aws:sns:us-east-2:111122223333:x:y",
            "arn:aws:sns:us-east-2:111122223333:x y",
        ] {
            assert_eq!(Topic::parse(arn), None, "{arn}");
        }
    }
}
